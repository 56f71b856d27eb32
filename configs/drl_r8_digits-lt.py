_base_ = ['digits_lt/drl_r8_digits-lt-ir50.py']
