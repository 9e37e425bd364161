print("ipfw")
