_base_ = ['places_lt/drl_r152_places-lt-30e.py']
