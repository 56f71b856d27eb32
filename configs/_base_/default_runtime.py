default_scope = 'mmpretrain'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # Two, because the older one goes before the newer one is written: a run killed meanwhile needs one to resume.
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # By name, unlike custom_hooks: a config that inherits these can add to them without losing any.
    sync_buffers=dict(type='SyncBuffersHook'),  # or each process would validate with batch statistics of its own
    class_counts=dict(type='mmdrl.ClassCountsHook'),
    centroids=dict(type='mmdrl.CentroidHook'),
    progress=dict(type='mmdrl.ProgressHook'),
    summary=dict(type='mmdrl.SummaryHook'),
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0)
