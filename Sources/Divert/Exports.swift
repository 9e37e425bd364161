// What a program that imports Divert needs with it: errors, and the packets' wire formats.
@_exported public import Kernel
@_exported public import Packets
