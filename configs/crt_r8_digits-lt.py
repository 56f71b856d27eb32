_base_ = ['digits_lt/crt_r8_digits-lt-ir50.py']
