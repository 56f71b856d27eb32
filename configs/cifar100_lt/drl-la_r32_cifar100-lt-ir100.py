# One stage, plain sampling, both losses from the start. Temperature, radius and lambda are ours and unverified.
_base_ = ['./la_r32_cifar100-lt-ir100.py']

model = dict(
    head=dict(
        dr_loss=dict(
            type='mmdrl.DRLoss',
            # A cosine classifier ignores lengths, which a distance in feature units would then inflate.
            distance='chord',
            temperature=0.1,
            radius=dict(type='mmdrl.CountRadius', scale=0.5),  # 0.02 for 500 images, 0.22 for 5; the sphere's is 1
            scope='sample',
            margin=2.0,
            loss_weight=0.2,
        ),
    ),
)
