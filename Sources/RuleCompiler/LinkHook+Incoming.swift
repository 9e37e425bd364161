import BPF
import DivertWire

/// Incoming: back onto the interface that received it.
extension LinkHook {
  mutating func incoming(_ maps: borrowing HookMaps) {
    let (device, multicast, send) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    assembler.place(incomingPass)
    loadInterface(maps)
    assembler.load(.halfword, .r1, from: .r0, HookInterface.Offset.flags)
    assembler.load(.word, .r7, from: .r0, HookInterface.Offset.mtu)
    for (from, width) in [(0, Width.word), (4, .halfword)] {
      assembler.load(width, .r2, from: .r0, HookInterface.Offset.address + from)
      assembler.store(width, .r2, to: .r10, Frame.header + from)
    }
    assembler.calculate(.and, .r1, UInt32(HookInterface.loopback))
    assembler.jump(if: .r1, .equal, 0, to: device)
    // Straight into loopback's ingress a packet would need sysctls (route_localnet, accept_local); through its
    // egress, which lets it pass untouched, it needs none.
    assembler.load(.word, .r1, from: .r6, Context.word(2))
    assembler.calculate(.or, .r1, Mark.loopbackIncoming)
    assembler.store(.word, .r1, to: .r6, Context.word(2))
    countReinjected(maps)
    enterLoopback()

    assembler.place(device)
    // What is larger than its device's MTU would be dropped there unseen.
    assembler.load(.word, .r2, from: .r6, Context.length)
    assembler.calculate(.subtract, .r2, UInt32(FrameHeader.packetOffset))
    assembler.move(.r1, 0)
    let fits = assembler.makeLabel()
    assembler.jump(if: .r2, .lessOrEqual, .r7, to: fits)
    assembler.jump(to: upcall)
    assembler.place(fits)
    countReinjected(maps)
    // The group bit of the destination is what tells the stack about multicast; all ones, about broadcast.
    let broadcast = UInt32(FrameHeader.Flags.broadcast.rawValue)
    assembler.jump(if: .r9, .anyBitSet, UInt32(FrameHeader.Flags.multicast.rawValue), to: multicast)
    assembler.move32(.r1, .r9)
    assembler.calculate(.and, .r1, broadcast)
    assembler.jump(if: .r1, .equal, 0, to: send)
    assembler.store(.word, value: .max, to: .r10, Frame.header)
    assembler.store(.halfword, value: 0xffff, to: .r10, Frame.header + 4)
    assembler.jump(to: send)
    assembler.place(multicast)
    assembler.store(.word, value: 0x005e_0001, to: .r10, Frame.header)
    assembler.store(.halfword, value: 0, to: .r10, Frame.header + 4)
    assembler.place(send)
    for offset in stride(from: 6, to: 12, by: 2) {
      assembler.store(.halfword, value: 0, to: .r10, Frame.header + offset)
    }
    assembler.storeBytes(from: Frame.header, count: 12, at: 0)
    assembler.move32(.r1, .r8)
    assembler.move(.r2, 1)  // BPF_F_INGRESS
    assembler.call(.redirect)
    assembler.exit()
  }

  private mutating func countReinjected(_ maps: borrowing HookMaps) {
    assembler.count(.reinjectedIncoming, ofSlot: Frame.slot, maps)
  }
}
