_base_ = ['imagenet_lt/drl_x50_imagenet-lt-100e.py']
