import BPF
import DivertWire

/// The path that a packet was on when it was diverted.
extension LinkHook {
  /// `Frame.hasPath`, and the path with it: the mark and the priority of a packet that has none of its own, and the
  /// interface that its frame does not name (some programs lose that part of an address) are taken from there. r8 and r9
  /// are the frame's interface and flags, before and after.
  mutating func findFormerPath(_ maps: borrowing HookMaps) {
    let (none, lost, found, marked) = (
      assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel()
    )
    let path = { (field: Int) in Frame.path + field }
    let done = assembler.makeLabel()
    assembler.load(.byte, .r1, from: .r10, Frame.header + FrameHeader.Offset.check)
    assembler.jump(if: .r1, .equal, 0, to: none)
    assembler.load(.halfword, .r1, from: .r10, Frame.header + FrameHeader.Offset.path)
    assembler.swapBigEndian(.r1, bits: 16)
    assembler.store(.word, .r1, to: .r10, Frame.key)
    assembler.lookUp(maps.paths, key: Frame.key)
    assembler.jump64(if: .r0, .equal, 0, to: none)
    assembler.load(.word, .r3, from: .r0, PathEntry.sequence)
    assembler.jump(if: .r3, .anyBitSet, 1, to: lost)
    assembler.move32(.r2, .r3)
    assembler.pathCheck(.r2)
    assembler.load(.byte, .r1, from: .r10, Frame.header + FrameHeader.Offset.check)
    assembler.jump(if: .r1, .notEqual, .r2, to: lost)
    assembler.loadBarrier()
    for offset in stride(from: 0, to: PathEntry.pathSize, by: 8) {
      assembler.load(.doubleword, .r1, from: .r0, PathEntry.path + offset)
      assembler.store(.doubleword, .r1, to: .r10, path(offset))
    }
    assembler.load(.word, .r1, from: .r0, PathEntry.longest)
    assembler.store(.word, .r1, to: .r10, Frame.longest)
    assembler.loadBarrier()
    assembler.load(.word, .r1, from: .r0, PathEntry.sequence)
    assembler.jump(if: .r1, .notEqual, .r3, to: lost)
    assembler.jump(to: found)

    assembler.place(lost)
    assembler.count(.lostPath, maps, key: Frame.key)
    assembler.jump(to: none)

    // What its program turns round is another packet.
    assembler.place(found)
    assembler.load(.halfword, .r1, from: .r10, path(PathEntry.Path.flags))
    assembler.calculate(.xor, .r1, .r9)
    assembler.jump(if: .r1, .anyBitSet, PathFlags.outgoing, to: none)
    assembler.store(.word, value: 1, to: .r10, Frame.hasPath)
    assembler.load(.word, .r1, from: .r6, Context.mark)
    assembler.jump(if: .r1, .notEqual, 0, to: marked)
    assembler.jump(if: .r9, .anyBitSet, UInt32(FrameHeader.Flags.ownMark.rawValue), to: marked)
    assembler.load(.word, .r1, from: .r10, path(PathEntry.Path.mark))
    assembler.store(.word, .r1, to: .r6, Context.mark)
    assembler.place(marked)
    assembler.load(.word, .r1, from: .r10, path(PathEntry.Path.priority))
    assembler.store(.word, .r1, to: .r6, Context.priority)
    assembler.jump(if: .r8, .notEqual, 0, to: done)
    assembler.load(.word, .r8, from: .r10, path(PathEntry.Path.receiveInterface))
    let named = assembler.makeLabel()
    assembler.jump(if: .r8, .notEqual, 0, to: named)
    assembler.load(.word, .r8, from: .r10, path(PathEntry.Path.transmitInterface))
    assembler.calculate(.or, .r9, UInt32(FrameHeader.Flags.transmitInterface.rawValue))
    assembler.place(named)
    assembler.store(.byte, .r9, to: .r10, Frame.headerCopy + FrameHeader.Offset.flags)
    assembler.move32(.r1, .r8)
    assembler.swapBigEndian(.r1, bits: 32)
    assembler.store(.word, .r1, to: .r10, Frame.headerCopy + FrameHeader.Offset.interface)
    assembler.jump(to: done)

    assembler.place(none)
    assembler.store(.word, value: 0, to: .r10, Frame.hasPath)
    assembler.store(.word, value: 0, to: .r10, Frame.longest)
    clear(Frame.path)
    assembler.place(done)
  }

  /// Memory for a path gets a content, which the verifier wants of what it might see read.
  mutating func clear(_ path: Int) {
    for offset in stride(from: 0, to: PathEntry.pathSize, by: 8) {
      assembler.store(.doubleword, value: 0, to: .r10, path + offset)
    }
  }

  /// Jumps where the packet (`Frame.wanted`) is another than that of the path, as far as routing looks at it.
  mutating func requireUnchanged(otherwise changed: Label) {
    let (path, wanted) = (Frame.path, Frame.wanted)
    for offset in stride(from: 0, to: PathEntry.Path.ports, by: 8) {
      assembler.load(.doubleword, .r1, from: .r10, path + offset)
      assembler.load(.doubleword, .r2, from: .r10, wanted + offset)
      assembler.jump64(if: .r1, .notEqual, .r2, to: changed)
    }
    for (width, offset) in [
      (.word, PathEntry.Path.service), (.byte, PathEntry.Path.version),
    ] as [(Width, Int)] {
      assembler.load(width, .r1, from: .r10, path + offset)
      assembler.load(width, .r2, from: .r10, wanted + offset)
      assembler.jump(if: .r1, .notEqual, .r2, to: changed)
    }
    // Of fragments these are unknown.
    for (width, offset) in [
      (.word, PathEntry.Path.ports), (.byte, PathEntry.Path.transport),
    ] as [(Width, Int)] {
      let same = assembler.makeLabel()
      assembler.load(width, .r1, from: .r10, path + offset)
      assembler.load(width, .r2, from: .r10, wanted + offset)
      assembler.jump(if: .r1, .equal, 0, to: same)
      assembler.jump(if: .r2, .equal, 0, to: same)
      assembler.jump(if: .r1, .notEqual, .r2, to: changed)
      assembler.place(same)
    }
  }

  /// Onto the path that the packet was on: by its device, to the link-layer address that it had. Jumps to `lookUp` where
  /// there is no such path any more, or where it may not take so large a packet, and comes back to `goOn` for that.
  mutating func takeFormerPath(lookUp: Label, tooBig: Label, goOn: Label, _ maps: borrowing HookMaps) {
    let (send, outside, simple) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.word, .r1, from: .r10, Frame.hasPath)
    assembler.jump(if: .r1, .equal, 0, to: lookUp)
    requireUnchanged(otherwise: lookUp)
    assembler.store(.word, value: 1, to: .r10, Frame.isUnchanged)
    assembler.load(.halfword, .r1, from: .r10, Frame.path + PathEntry.Path.flags)
    assembler.jump(if: .r1, .anyBitSet, PathFlags.withoutWay, to: lookUp)
    assembler.load(.word, .r1, from: .r10, Frame.path + PathEntry.Path.transmitInterface)
    assembler.store(.word, .r1, to: .r10, Frame.key)
    assembler.lookUp(maps.interfaces, key: Frame.key)
    assembler.jump64(if: .r0, .equal, 0, to: lookUp)
    assembler.load(.halfword, .r1, from: .r0, HookInterface.Offset.flags)
    assembler.move32(.r2, .r1)
    assembler.calculate(.and, .r2, UInt32(HookInterface.up))
    assembler.jump(if: .r2, .equal, 0, to: lookUp)
    let length = { (hook: inout LinkHook) in
      hook.assembler.load(.word, .r2, from: .r6, Context.length)
      hook.assembler.calculate(.subtract, .r2, UInt32(FrameHeader.packetOffset))
    }
    length(&self)
    assembler.load(.word, .r3, from: .r10, Frame.longest)
    assembler.jump(if: .r2, .lessOrEqual, .r3, to: send)
    assembler.load(.word, .r3, from: .r0, HookInterface.Offset.mtu)
    let asks = assembler.makeLabel()
    assembler.jump(if: .r2, .lessOrEqual, .r3, to: asks)
    assembler.load(.word, .r1, from: .r10, Frame.key)
    assembler.store(.word, .r1, to: .r10, Route.interface)
    assembler.jump(to: tooBig)
    assembler.place(asks)
    assembler.store(.word, value: 1, to: .r10, Frame.onlyAsksSize)
    assembler.jump(to: lookUp)

    assembler.place(goOn)
    assembler.load(.word, .r1, from: .r10, Frame.path + PathEntry.Path.transmitInterface)
    assembler.store(.word, .r1, to: .r10, Frame.key)
    assembler.lookUp(maps.interfaces, key: Frame.key)
    assembler.jump64(if: .r0, .equal, 0, to: refuse)
    assembler.place(send)
    assembler.load(.halfword, .r1, from: .r0, HookInterface.Offset.flags)
    assembler.move32(.r8, .r1)
    assembler.count(.reinjectedOutgoing, ofSlot: Frame.slot, maps)
    let throughNeighbours = UInt32(HookInterface.loopback | HookInterface.needsRoute)
    assembler.jump(if: .r8, .anyBitSet, throughNeighbours, to: outside)
    assembler.jump(to: simple)

    // Through the neighbours of loopback, and of tunnels that learn from its route where a packet goes.
    assembler.place(outside)
    assembler.load(.word, .r1, from: .r10, Frame.path + PathEntry.Path.transmitInterface)
    assembler.move(.r2, 0)
    assembler.move(.r3, 0)
    assembler.move(.r4, 0)
    assembler.call(.redirectNeighbour)
    assembler.exit()

    assembler.place(simple)
    assembler.storeBytes(from: Frame.path + PathEntry.Path.linkHeader, count: 12, at: 0)
    assembler.load(.word, .r1, from: .r10, Frame.path + PathEntry.Path.transmitInterface)
    assembler.move(.r2, 0)
    assembler.call(.redirect)
    assembler.exit()
  }
}
