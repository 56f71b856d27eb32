_base_ = ['inaturalist2018/drl_r50_inaturalist2018-100e.py']
