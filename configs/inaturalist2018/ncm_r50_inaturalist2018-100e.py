# Trained as ce, predicts the class of the nearest mean. That is the NCM of Kang et al., ICLR 2020, here by Euclidean
# distance.
_base_ = ['./ce_r50_inaturalist2018-100e.py']

model = dict(head=dict(predict_with='ncm'))
