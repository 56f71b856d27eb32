# The handwritten digits of scikit-learn: 1,797 grey 8x8 images. 50 per class are held out; of the rest
# 120, 77, 50, 32, 21, 13, 8, 5, 3 and 2 remain for training. A ratio of 20 would be too easy.
train_pipeline = [
    dict(type='RandomCrop', crop_size=8, padding=1),  # a shift by one pixel; without it the few-shot classes fail
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs')]
long_tail = dict(type='mmdrl.LongTailDataset', imbalance_ratio=50, max_count=120, holdout_per_class=50, seed=0)

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,  # MMPretrain's own tool asks for them where nothing is said
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(part='train', dataset=dict(type='mmdrl.Digits', pipeline=train_pipeline), **long_tail),
)
val_dataloader = dict(
    batch_size=500,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    # The pipeline stands outside, where MMPretrain's inferencer looks for it.
    dataset=dict(
        part='holdout', pipeline=test_pipeline, dataset=dict(type='mmdrl.Digits', test_mode=True), **long_tail
    ),
)
test_dataloader = val_dataloader

val_evaluator = [
    dict(type='mmdrl.ShotAccuracy', many=60, few=20),
    dict(type='mmdrl.ShotAccuracy', many=60, few=20, classifier='ncm', prefix='ncm'),
    dict(type='mmdrl.ClassAccuracy'),  # this and the next two with the groups of the first
    dict(type='mmdrl.ClassAccuracy', classifier='ncm', prefix='ncm'),
    dict(type='mmdrl.Calibration'),
]
test_evaluator = val_evaluator
val_cfg = dict()
test_cfg = dict()
