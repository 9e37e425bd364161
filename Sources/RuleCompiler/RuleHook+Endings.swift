import BPF
import DivertWire

/// What becomes of a packet: the ends that all rules share, and the copy that `tee` makes.
extension RuleHook {
  mutating func endings(_ maps: borrowing HookMaps) {
    assembler.place(accept)
    countRule(maps)
    putPriorityTagBack()
    assembler.place(letGo)
    assembler.answer(Answer.next)

    let gone = assembler.makeLabel()
    assembler.place(deny)
    countRule(maps)
    if isOutgoing {
      assembler.load(.word, .r1, from: .r7, Variable.reinjected)
      assembler.jump(if: .r1, .equal, 0, to: gone)
      assembler.count(.denied, ofSlot: Variable.writerSlot, maps)
    }
    assembler.jump(to: gone)
    assembler.place(refuse)
    assembler.count(.unreadable, maps, key: Variable.key)
    assembler.place(gone)
    // A dropped outgoing packet would be an error to its sender (ENOBUFS); a denied one is just gone.
    if isOutgoing { assembler.steal() } else { assembler.answer(Answer.drop) }

    let handOver = assembler.makeLabel()
    let nobody = assembler.makeLabel()
    let looped = assembler.makeLabel()

    assembler.place(divert)
    countRule(maps)
    assembler.load(.word, .r1, from: .r7, Variable.passes)
    assembler.jump(if: .r1, .greaterOrEqual, UInt32(FrameHeader.passLimit), to: looped)
    loadLink(counting: HookPort.Offset.diverted, otherwise: nobody, maps)
    keepPriority()
    tellOwnerIfAsked()
    writeDownPath(maps)
    buildFrameHeader(.diverted)
    assembler.jump(to: handOver)

    assembler.place(upcall)
    assembler.move32(.r8, environment.upcallInterface)
    countPackets(.upcall, maps)
    keepPriority()
    tellOwner()
    // By which interface a forwarded packet leaves, divertd reads there: it gets an entry at any price.
    writeDownPath(atAnyPrice: true, maps)
    buildFrameHeader(.upcall)
    assembler.load(.word, .r1, from: .r7, Variable.reinjected)
    assembler.jump(if: .r1, .equal, 0, to: handOver)
    assembler.load(.byte, .r1, from: .r7, Variable.frameHeader + FrameHeader.Offset.flags)
    assembler.calculate(.or, .r1, UInt32(FrameHeader.Flags.reinjected.rawValue))
    assembler.store(.byte, .r1, to: .r7, Variable.frameHeader + FrameHeader.Offset.flags)

    assembler.place(handOver)
    makeRoom()
    assembler.storeBytes(from: Variable.frameHeader, count: 12, at: 0)
    assembler.storeSecret(environment.secret)
    // A packet that a socket has written still belongs to it, in the tunnels that it has gone into since, too; and no
    // packet socket is shown its own packets. A clone belongs to nobody.
    let fresh = assembler.makeLabel()
    assembler.load(.doubleword, .r1, from: .r6, Context.socket)
    assembler.jump64(if: .r1, .equal, 0, to: fresh)
    assembler.load(.word, .r1, from: .r1, ContextSocket.family)
    assembler.jump(if: .r1, .notEqual, ContextSocket.packetFamily, to: fresh)
    assembler.move(.r1, .r6)
    assembler.move(.r2, .r8)
    assembler.move(.r3, 0)
    assembler.call(.cloneRedirect)
    assembler.steal()
    assembler.place(fresh)
    assembler.move(.r1, .r8)
    assembler.move(.r2, 0)
    assembler.call(.redirect)
    assembler.exit()

    assembler.place(nobody)
    countPackets(.noPort, maps)
    assembler.steal()
    assembler.place(looped)
    assembler.count(.looped, maps, key: Variable.key)
    // Only what a socket has written has passes.
    assembler.count(.looped, ofSlot: Variable.writerSlot, maps)
    assembler.steal()
  }

  /// A copy to the link of the port among the variables, with the number there as its tag; the packet goes on with the next rule as it was.
  mutating func tee(_ maps: borrowing HookMaps) {
    let (skip, nobody) = (assembler.makeLabel(), assembler.makeLabel())
    loadLink(counting: HookPort.Offset.teed, otherwise: nobody, maps)
    keepPriority()
    tellOwnerIfAsked()
    writeDownPath(maps)
    buildFrameHeader(.diverted, flags: .tee)
    assembler.loadBytes(at: 0, count: 12, to: Variable.linkHeader)
    assembler.storeBytes(from: Variable.frameHeader, count: 12, at: 0)
    assembler.storeSecret(environment.secret)
    assembler.move(.r1, .r6)
    assembler.move(.r2, .r8)
    assembler.move(.r3, 0)
    assembler.call(.cloneRedirect)
    assembler.storeBytes(from: Variable.linkHeader, count: 12, at: 0)
    assembler.load(.word, .r1, from: .r7, Variable.priority)
    assembler.store(.word, .r1, to: .r6, Context.priority)
    assembler.clearMark()
    assembler.jump(to: skip)
    assembler.place(nobody)
    countPackets(.noPort, maps)
    assembler.place(skip)
    assembler.store(.word, value: 0, to: .r7, Variable.isDiverted)
  }

  /// What the packet has before its owner is told there. Changes r1.
  private mutating func keepPriority() {
    assembler.load(.word, .r1, from: .r6, Context.priority)
    assembler.store(.word, .r1, to: .r7, Variable.priority)
  }

  /// Where the socket of the port at r0 asks for it: ``tellOwner()``.
  private mutating func tellOwnerIfAsked() {
    let (asked, done) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.word, .r1, from: .r0, HookPort.Offset.options)
    assembler.jump(if: .r1, .anyBitSet, HookPortOptions.owner.rawValue, to: asked)
    assembler.jump(to: done)
    assembler.place(asked)
    tellOwner()
    assembler.place(done)
  }

  /// The packet's priority becomes the number plus one of the user who has made it; 0 where that is nobody of this
  /// host, or the packet was written back: then its socket is the divert socket. A packet on a link has no other use for a
  /// priority, and its reader may be told it (SO_RCVPRIORITY). Changes r0...r5.
  private mutating func tellOwner() {
    let done = assembler.makeLabel()
    assembler.move(.r1, 0)
    assembler.store(.word, .r1, to: .r6, Context.priority)
    guard isOutgoing else { return }
    assembler.load(.word, .r1, from: .r7, Variable.reinjected)
    assembler.jump(if: .r1, .notEqual, 0, to: done)
    assembler.load(.doubleword, .r1, from: .r6, Context.socket)
    assembler.jump64(if: .r1, .equal, 0, to: done)
    // Half a socket (a connection about to come or to go) has an owner that nobody knows.
    assembler.call(.fullSocket)
    assembler.jump64(if: .r0, .equal, 0, to: done)
    assembler.move(.r1, .r6)
    assembler.call(.socketUser)
    assembler.calculate(.add, .r0, 1)
    assembler.store(.word, .r0, to: .r6, Context.priority)
    assembler.place(done)
  }

  /// Counts a super-packet as what it is on the wire, as rules do.
  mutating func countPackets(_ event: HookEvent, _ maps: borrowing HookMaps) {
    assembler.count(event, of: Variable.packets, maps, key: Variable.key)
  }

  /// r8 = the link of the port among the variables, whose count at an offset grows by the packets on the wire; r0 = its ``HookPort``.
  private mutating func loadLink(
    counting count: Int, otherwise nobody: Label, _ maps: borrowing HookMaps
  ) {
    assembler.lookUp(maps.ports, key: Variable.port)
    assembler.jump64(if: .r0, .equal, 0, to: nobody)
    assembler.load(.word, .r8, from: .r0, HookPort.Offset.link)
    assembler.jump(if: .r8, .equal, 0, to: nobody)
    assembler.load(.word, .r1, from: .r7, Variable.packets)
    assembler.atomicAdd64(.r1, to: .r0, count)
  }

  /// ``FrameHeader`` at `Variable.frameHeader`, byte for byte.
  private mutating func buildFrameHeader(_ operation: FrameHeader.Operation, flags: FrameHeader.Flags = []) {
    let kind = UInt32(FrameHeader.kind(operation))
    let offset = { (field: Int) in Variable.frameHeader + field }
    assembler.store(.byte, value: kind, to: .r7, offset(FrameHeader.Offset.kind))
    assembler.load(.word, .r1, from: .r7, Variable.tag)
    assembler.swapBigEndian(.r1, bits: 16)
    assembler.store(.halfword, .r1, to: .r7, offset(FrameHeader.Offset.tag))
    assembler.load(.word, .r1, from: .r7, Variable.receiveInterface)
    if isOutgoing {
      let forwarded = assembler.makeLabel()
      assembler.move32(.r2, UInt32(flags.union(.outgoing).rawValue))
      assembler.jump(if: .r1, .notEqual, 0, to: forwarded)
      assembler.load(.word, .r1, from: .r7, Variable.transmitInterface)
      assembler.move32(.r2, UInt32(flags.union([.outgoing, .transmitInterface]).rawValue))
      assembler.place(forwarded)
    } else {
      // PACKET_BROADCAST 1 and PACKET_MULTICAST 2 are the flags' bits, shifted by one.
      assembler.load(.word, .r2, from: .r6, Context.packetType)
      assembler.calculate(.shiftLeft, .r2, 1)
      assembler.calculate(.or, .r2, UInt32(flags.rawValue))
    }
    assembler.swapBigEndian(.r1, bits: 32)
    assembler.store(.word, .r1, to: .r7, offset(FrameHeader.Offset.interface))
    assembler.store(.byte, .r2, to: .r7, offset(FrameHeader.Offset.flags))
    assembler.load(.word, .r1, from: .r7, Variable.passes)
    assembler.store(.byte, .r1, to: .r7, offset(FrameHeader.Offset.passes))
    assembler.load(.word, .r1, from: .r7, Variable.pathNumber)
    assembler.move32(.r2, .r1)
    assembler.calculate(.shiftRight, .r2, 16)
    assembler.store(.byte, .r2, to: .r7, offset(FrameHeader.Offset.check))
    assembler.swapBigEndian(.r1, bits: 16)
    assembler.store(.halfword, .r1, to: .r7, offset(FrameHeader.Offset.path))
  }

  /// Where a device has no link-layer header: 14 bytes in front, the EtherType in the last two.
  private mutating func makeRoom() {
    guard environment.linkHeaderLength == 0 else { return }
    assembler.move(.r1, .r6)
    assembler.move(.r2, Int32(FrameHeader.packetOffset))
    assembler.move(.r3, 0)
    assembler.call(.changeHead)
    assembler.jump(if: .r0, .notEqual, 0, to: refuse)
    assembler.load(.word, .r1, from: .r6, Context.networkProtocol)
    assembler.store(.halfword, .r1, to: .r7, Variable.linkHeader)
    assembler.storeBytes(from: Variable.linkHeader, count: 2, at: 12)
  }
}
