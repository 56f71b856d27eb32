_base_ = ['digits_lt/ce_r8_digits-lt-ir50.py']
