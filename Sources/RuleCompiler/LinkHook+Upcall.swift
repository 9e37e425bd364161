import BPF
import DivertWire

/// What a link's hook cannot do itself.
extension LinkHook {
  /// What this program cannot do, cutting a packet to its device's size, divertd does: the frame becomes an upcall, to
  /// be judged in user space from the rule behind its tag on. r1 is the interface to leave by, 0 for an incoming packet.
  mutating func handUp(_ maps: borrowing HookMaps) {
    let (elsewhere, judged, last) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    assembler.place(upcall)
    // What divertd has judged and cut itself and is still too large is nothing to begin again with.
    assembler.load(.word, .r2, from: .r6, Context.word(2))
    assembler.jump(if: .r2, .anyBitSet, Mark.judged, to: judged)
    countHandedUp(maps)
    assembler.load(.word, .r8, from: .r10, Frame.headerCopy + FrameHeader.Offset.interface)
    assembler.swapBigEndian(.r8, bits: 32)
    assembler.load(.byte, .r9, from: .r10, Frame.headerCopy + FrameHeader.Offset.flags)
    restoreHeader()
    let (received, placed) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.move32(.r3, .r9)
    assembler.calculate(.and, .r3, UInt32(FrameHeader.Flags.outgoing.rawValue))
    assembler.jump(if: .r3, .equal, 0, to: placed)
    assembler.load(.word, .r3, from: .r6, Context.word(3))
    assembler.jump(if: .r3, .notEqual, 0, to: received)
    // Of this host's own the interface is the one to leave by.
    assembler.move32(.r8, .r7)
    assembler.calculate(.or, .r9, UInt32(FrameHeader.Flags.transmitInterface.rawValue))
    assembler.jump(to: placed)
    assembler.place(received)
    assembler.move32(.r8, .r3)
    writeDownForwarding()

    assembler.place(placed)
    assembler.load(.word, .r2, from: .r6, Context.word(2))
    assembler.calculate(.and, .r2, 0xffff)
    assembler.jump(if: .r2, .equal, 0xffff, to: last)
    assembler.calculate(.add, .r2, 1)
    assembler.place(last)
    assembler.swapBigEndian(.r2, bits: 16)
    assembler.store(.halfword, .r2, to: .r10, Frame.header + FrameHeader.Offset.tag)
    assembler.swapBigEndian(.r8, bits: 32)
    assembler.store(.word, .r8, to: .r10, Frame.header + FrameHeader.Offset.interface)
    assembler.calculate(.or, .r9, UInt32(FrameHeader.Flags.reinjected.rawValue))
    assembler.store(.byte, .r9, to: .r10, Frame.header + FrameHeader.Offset.flags)
    let kind = UInt32(FrameHeader.kind(.upcall))
    assembler.store(.byte, value: kind, to: .r10, Frame.header + FrameHeader.Offset.kind)
    assembler.storeBytes(from: Frame.header, count: 12, at: 0)
    assembler.count(.upcall, maps, key: Frame.key)
    assembler.move(.r1, 0)
    assembler.store(.word, .r1, to: .r6, Context.priority)
    assembler.load(.word, .r1, from: .r6, Context.interface)
    assembler.jump(if: .r1, .notEqual, upcallInterface, to: elsewhere)
    assembler.clearMark()
    assembler.answer(Answer.next)
    assembler.place(elsewhere)
    assembler.move32(.r1, upcallInterface)
    assembler.move(.r2, 0)
    assembler.call(.redirect)
    assembler.exit()
    assembler.place(judged)
    drop(.tooBig, maps)
  }

  /// The header as the client wrote it: that of the packet's next device may stand in its place.
  private mutating func restoreHeader() {
    for offset in stride(from: 0, to: 12, by: 4) {
      assembler.load(.word, .r1, from: .r10, Frame.headerCopy + offset)
      assembler.store(.word, .r1, to: .r10, Frame.header + offset)
    }
  }

  /// A forwarded packet that leaves by the interface in r7, which its frame has no room for: divertd reads it in the
  /// table. r8 is the one that received it.
  private mutating func writeDownForwarding() {
    let (written, changed) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.word, .r1, from: .r10, Frame.hasPath)
    assembler.jump(if: .r1, .equal, 0, to: changed)
    assembler.load(.word, .r1, from: .r10, Frame.path + PathEntry.Path.transmitInterface)
    assembler.jump(if: .r1, .equal, .r7, to: written)
    assembler.place(changed)
    for offset in stride(from: PathEntry.Path.boundInterface, to: PathEntry.pathSize, by: 4) {
      assembler.store(.word, value: 0, to: .r10, Frame.wanted + offset)
    }
    assembler.store(
      .halfword, value: PathFlags.outgoing | PathFlags.withoutWay, to: .r10,
      Frame.wanted + PathEntry.Path.flags)
    assembler.store(.word, .r8, to: .r10, Frame.wanted + PathEntry.Path.receiveInterface)
    assembler.store(.word, .r7, to: .r10, Frame.wanted + PathEntry.Path.transmitInterface)
    assembler.load(.word, .r1, from: .r6, Context.mark)
    assembler.store(.word, .r1, to: .r10, Frame.wanted + PathEntry.Path.mark)
    assembler.move(.r1, .r10)
    assembler.calculate64(.add, .r1, Int32(Frame.wanted))
    assembler.move(.r2, 1)
    assembler.move(.r3, 0)
    assembler.call(findPath)
    assembler.move32(.r1, .r0)
    assembler.calculate(.shiftRight, .r1, 16)
    assembler.store(.byte, .r1, to: .r10, Frame.header + FrameHeader.Offset.check)
    assembler.swapBigEndian(.r0, bits: 16)
    assembler.store(.halfword, .r0, to: .r10, Frame.header + FrameHeader.Offset.path)
    assembler.place(written)
  }

  /// It is written back like any other. r7 becomes r1.
  private mutating func countHandedUp(_ maps: borrowing HookMaps) {
    let (incoming, counted) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.move32(.r7, .r1)
    assembler.load(.byte, .r9, from: .r10, Frame.headerCopy + FrameHeader.Offset.flags)
    assembler.calculate(.and, .r9, UInt32(FrameHeader.Flags.outgoing.rawValue))
    assembler.jump(if: .r9, .equal, 0, to: incoming)
    assembler.count(.reinjectedOutgoing, ofSlot: Frame.slot, maps)
    assembler.jump(to: counted)
    assembler.place(incoming)
    assembler.count(.reinjectedIncoming, ofSlot: Frame.slot, maps)
    assembler.place(counted)
  }
}
