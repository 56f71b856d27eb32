_base_ = ['imagenet_lt/drl_r50_imagenet-lt-100e.py']
