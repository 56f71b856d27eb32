# Trained as ce, predicts the class of the nearest mean. That is the NCM of Kang et al., ICLR 2020; their code centres
# features and brings them to length 1, here they stay as they are.
_base_ = ['./ce_r8_digits-lt-ir50.py']

model = dict(head=dict(predict_with='ncm'))
