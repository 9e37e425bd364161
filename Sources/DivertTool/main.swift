print("divert")
