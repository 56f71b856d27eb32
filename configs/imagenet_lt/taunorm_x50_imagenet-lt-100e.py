# Trained as ce, predicts with tau-normalised weights and without bias (Kang et al., ICLR 2020). With tau 1 all rows are
# equally long. tools/analysis/rebalance.py, which keeps the bias, finds the best tau on validation images, given the
# config of ce and a checkpoint of this.
_base_ = ['./ce_x50_imagenet-lt-100e.py']

model = dict(head=dict(classifier=dict(type='mmdrl.TauNormClassifier', tau=1.0, keep_bias=False)))
