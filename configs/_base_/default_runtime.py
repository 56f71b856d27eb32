default_scope = 'mmpretrain'

default_hooks = dict(
    runtime_info=dict(type='mmdrl.RuntimeInfoHook'),  # losses stay on the device until somebody looks at them
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # Written aside and renamed, so that a run that is killed has a whole one; two, in case a disk damages one.
    checkpoint=dict(type='mmdrl.AtomicCheckpointHook', interval=1, max_keep_ckpts=2),
    preemption=dict(type='mmdrl.PreemptionHook'),  # Ctrl-C, SIGTERM and SIGUSR1 save before they end the run
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # By name, unlike custom_hooks: a config that inherits these can add to them without losing any.
    sync_buffers=dict(type='SyncBuffersHook'),  # or each process would validate with batch statistics of its own
    class_counts=dict(type='mmdrl.ClassCountsHook'),
    non_finite=dict(type='mmdrl.NonFiniteHook'),  # before centroids are made of what it looks at
    centroids=dict(type='mmdrl.CentroidHook'),
    radii=dict(type='mmdrl.RadiusHook'),
    validation=dict(type='mmdrl.ValidationHook'),
    progress=dict(type='mmdrl.ProgressHook'),
    summary=dict(type='mmdrl.SummaryHook'),
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
log_processor = dict(type='mmdrl.BriefLogProcessor')  # shorter lines; every value is in scalars.json
visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0)
