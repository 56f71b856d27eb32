# drl with the class scope and margin 1, as in the released code. It is no upper bound on the worst case.
_base_ = ['./drl_r152_places-lt-30e.py']

model = dict(head=dict(dr_loss=dict(scope='class', margin=1.0)))
