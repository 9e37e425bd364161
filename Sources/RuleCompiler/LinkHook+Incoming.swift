import BPF
import DivertWire

/// Incoming: back onto the interface that received it.
extension LinkHook {
  mutating func incoming(_ maps: borrowing HookMaps) {
    let (device, fits, throughLoopback) = (
      assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel()
    )
    assembler.place(incomingPass)
    // What this host has sent itself has come by loopback, whichever interface its address names.
    sentByThisHost(throughLoopback: throughLoopback, maps)
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
    assembler.place(throughLoopback)
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
    assembler.jump(if: .r2, .lessOrEqual, .r7, to: fits)
    clear(Frame.wanted)
    assembler.jump(to: upcall)
    assembler.place(fits)
    countReinjected(maps)
    writeLinkAddresses()
    assembler.move32(.r1, .r8)
    assembler.move(.r2, 1)  // BPF_F_INGRESS
    assembler.call(.redirect)
    assembler.exit()
  }

  /// From the address that it had before, to the one that it had: a group's, or the interface's own, which is what tells
  /// the stack that it is for this host. `Frame.header` begins with the interface's.
  private mutating func writeLinkAddresses() {
    let (unknown, multicast, sender, send) = (
      assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel()
    )
    let arrival = UInt32(FrameHeader.Flags.arrival.rawValue)
    let former = Frame.path + PathEntry.Path.linkHeader
    assembler.load(.word, .r1, from: .r10, Frame.hasPath)
    assembler.jump(if: .r1, .equal, 0, to: unknown)
    assembler.load(.word, .r1, from: .r10, Frame.path + PathEntry.Path.receiveInterface)
    assembler.jump(if: .r1, .notEqual, .r8, to: unknown)
    assembler.move32(.r1, .r9)
    assembler.calculate(.and, .r1, arrival)
    assembler.jump(if: .r1, .equal, 0, to: sender)
    copyAddress(from: former, to: Frame.header)
    assembler.place(sender)
    copyAddress(from: former + 6, to: Frame.header + 6)
    assembler.jump(to: send)

    // The group bit of the destination is what tells the stack about multicast; all ones, about broadcast.
    assembler.place(unknown)
    for offset in stride(from: 6, to: 12, by: 2) {
      assembler.store(.halfword, value: 0, to: .r10, Frame.header + offset)
    }
    assembler.jump(if: .r9, .anyBitSet, UInt32(FrameHeader.Flags.multicast.rawValue), to: multicast)
    assembler.move32(.r1, .r9)
    assembler.calculate(.and, .r1, UInt32(FrameHeader.Flags.broadcast.rawValue))
    assembler.jump(if: .r1, .equal, 0, to: send)
    assembler.store(.word, value: .max, to: .r10, Frame.header)
    assembler.store(.halfword, value: 0xffff, to: .r10, Frame.header + 4)
    assembler.jump(to: send)
    assembler.place(multicast)
    assembler.store(.word, value: 0x005e_0001, to: .r10, Frame.header)
    assembler.store(.halfword, value: 0, to: .r10, Frame.header + 4)
    assembler.place(send)
    assembler.storeBytes(from: Frame.header, count: 12, at: 0)
  }

  private mutating func copyAddress(from: Int, to: Int) {
    for offset in stride(from: 0, to: 6, by: 2) {
      assembler.load(.halfword, .r1, from: .r10, from + offset)
      assembler.store(.halfword, .r1, to: .r10, to + offset)
    }
  }

  /// An IPv4 packet from this host's own address that comes in by a device would be a martian to the kernel
  /// (accept_local, ip-sysctl); BSD takes it from a divert socket. To another host it leads nowhere: that is refused.
  private mutating func sentByThisHost(throughLoopback: Label, _ maps: borrowing HookMaps) {
    let (other, check) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.halfword, .r1, from: .r10, Frame.header + 12)
    assembler.jump(if: .r1, .notEqual, UInt32(UInt16(0x0800).bigEndian), to: other)
    assembler.loadBytes(at: FrameHeader.packetOffset, count: 20, to: Frame.packet)
    assembler.jump(if: .r0, .notEqual, 0, to: other)
    // As it came from the wire it goes on as if it came from there.
    assembler.load(.word, .r1, from: .r10, Frame.hasPath)
    assembler.jump(if: .r1, .equal, 0, to: check)
    assembler.load(.word, .r1, from: .r10, Frame.packet + 12)
    assembler.load(.word, .r2, from: .r10, Frame.path + PathEntry.Path.source)
    assembler.jump(if: .r1, .equal, .r2, to: other)
    assembler.place(check)
    assembler.lookUp(maps.local4, key: Frame.packet + 12)
    assembler.jump64(if: .r0, .equal, 0, to: other)
    findLocalRoute4(maps)
    assembler.jump64(if: .r0, .notEqual, 0, to: throughLoopback)
    // To a group it comes by its interface.
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 16)
    assembler.jump(if: .r1, .greaterOrEqual, 0xe0, to: other)
    assembler.lookUp(maps.broadcast4, key: Frame.packet + 16)
    assembler.jump64(if: .r0, .notEqual, 0, to: other)
    drop(.noRoute, maps)
    assembler.place(other)
  }

  private mutating func countReinjected(_ maps: borrowing HookMaps) {
    assembler.count(.reinjectedIncoming, ofSlot: Frame.slot, maps)
  }
}
