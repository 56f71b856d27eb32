# Trained as ce, predicts the class of the nearest mean. That is the NCM of Kang et al., ICLR 2020, here by Euclidean
# distance.
_base_ = ['./ce_r8_digits-lt-ir50.py']

model = dict(head=dict(predict_with='ncm'))
