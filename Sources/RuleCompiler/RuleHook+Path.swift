import BPF

/// The path of a packet that is diverted, copied or judged in user space, written down in ``HookMaps/paths``.
extension RuleHook {
  /// `Variable.pathNumber` = the entry that has the packet's path. Changes r0...r5.
  ///
  /// - Parameter atAnyPrice: Whether an entry in use is replaced where there is no room.
  mutating func writeDownPath(atAnyPrice: Bool = false, _ maps: borrowing HookMaps) {
    let found = assembler.makeLabel()
    keepAddresses()
    keepTransport()
    keepInterfaces()
    assembler.load(.word, .r1, from: .r6, Context.mark)
    assembler.store(.word, .r1, to: .r7, Variable.path + PathEntry.Path.mark)
    assembler.load(.word, .r1, from: .r7, Variable.priority)
    assembler.store(.word, .r1, to: .r7, Variable.path + PathEntry.Path.priority)
    keepLinkHeader()
    loadLength()
    assembler.move(.r1, .r7)
    assembler.calculate64(.add, .r1, Int32(Variable.path))
    assembler.move(.r2, atAnyPrice ? 1 : 0)
    assembler.call(findPath)
    assembler.store(.word, .r0, to: .r7, Variable.pathNumber)
    assembler.jump(if: .r0, .notEqual, 0, to: found)
    countPackets(.noPath, maps)
    assembler.place(found)
  }

  private mutating func keepAddresses() {
    let (version6, kept) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.word, .r1, from: .r7, Variable.version)
    assembler.store(.byte, .r1, to: .r7, Variable.path + PathEntry.Path.version)
    assembler.jump(if: .r1, .equal, 6, to: version6)
    for (field, offset) in [(PathEntry.Path.source, 12), (PathEntry.Path.destination, 16)] {
      assembler.load(.word, .r1, from: .r7, Variable.header + offset)
      assembler.store(.doubleword, .r1, to: .r7, Variable.path + field)
      assembler.store(.doubleword, value: 0, to: .r7, Variable.path + field + 8)
    }
    assembler.load(.byte, .r1, from: .r7, Variable.header + 1)
    assembler.calculate(.and, .r1, 0xfc)
    assembler.load(.byte, .r2, from: .r7, Variable.header + 9)
    assembler.jump(to: kept)

    assembler.place(version6)
    for offset in stride(from: 0, to: 32, by: 8) {
      assembler.load(.doubleword, .r1, from: .r7, Variable.header + 8 + offset)
      assembler.store(.doubleword, .r1, to: .r7, Variable.path + offset)
    }
    assembler.load(.word, .r1, from: .r7, Variable.header)
    assembler.swapBigEndian(.r1, bits: 32)
    assembler.calculate(.and, .r1, 0xffcf_ffff)
    assembler.load(.byte, .r2, from: .r7, Variable.header + 6)
    let whole = assembler.makeLabel()
    assembler.jump(if: .r2, .notEqual, 44, to: whole)
    assembler.move(.r2, 0)
    assembler.place(whole)

    assembler.place(kept)
    assembler.store(.word, .r1, to: .r7, Variable.path + PathEntry.Path.service)
    assembler.store(.byte, .r2, to: .r7, Variable.path + PathEntry.Path.transport)
  }

  /// The ports, where the header that has them follows the IP header: r2 is its number.
  private mutating func keepTransport() {
    let (known, unknown, kept) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.word, .r1, from: .r7, Variable.isFragment)
    assembler.jump(if: .r1, .notEqual, 0, to: unknown)
    for number in transportsWithPorts { assembler.jump(if: .r2, .equal, number, to: known) }
    assembler.place(unknown)
    assembler.move(.r1, 0)
    assembler.jump(to: kept)
    assembler.place(known)
    assembler.load(.word, .r1, from: .r7, Variable.sourcePort)
    assembler.calculate(.shiftLeft, .r1, 16)
    assembler.load(.word, .r2, from: .r7, Variable.destinationPort)
    assembler.calculate(.or, .r1, .r2)
    assembler.place(kept)
    assembler.store(.word, .r1, to: .r7, Variable.path + PathEntry.Path.ports)
  }

  private mutating func keepInterfaces() {
    let flags = isOutgoing ? PathFlags.outgoing : 0
    assembler.store(.halfword, value: flags, to: .r7, Variable.path + PathEntry.Path.flags)
    for (variable, field) in [
      (Variable.receiveInterface, PathEntry.Path.receiveInterface),
      (Variable.transmitInterface, PathEntry.Path.transmitInterface),
    ] {
      assembler.load(.word, .r1, from: .r7, variable)
      assembler.store(.word, .r1, to: .r7, Variable.path + field)
    }
    assembler.store(.word, value: 0, to: .r7, Variable.path + PathEntry.Path.boundInterface)
    guard isOutgoing else { return }
    let unbound = assembler.makeLabel()
    assembler.load(.doubleword, .r1, from: .r6, Context.socket)
    assembler.jump64(if: .r1, .equal, 0, to: unbound)
    assembler.call(.fullSocket)
    assembler.jump64(if: .r0, .equal, 0, to: unbound)
    assembler.load(.word, .r1, from: .r0, ContextSocket.family)
    assembler.jump(if: .r1, .equal, ContextSocket.packetFamily, to: unbound)
    assembler.load(.word, .r1, from: .r0, ContextSocket.boundInterface)
    assembler.store(.word, .r1, to: .r7, Variable.path + PathEntry.Path.boundInterface)
    assembler.place(unbound)
  }

  private mutating func keepLinkHeader() {
    let header = Variable.path + PathEntry.Path.linkHeader
    if environment.linkHeaderLength == 14 {
      assembler.loadBytes(at: 0, count: 14, to: header)
      assembler.store(.halfword, value: 0, to: .r7, Variable.path + PathEntry.Path.end)
    } else {
      for offset in [0, 8] { assembler.store(.doubleword, value: 0, to: .r7, header + offset) }
    }
  }

  /// r3 = how long a packet its way is known to take: of a super-packet one segment; of fragments nothing, since their
  /// datagram comes back whole.
  private mutating func loadLength() {
    let (single, udp, done) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    assembler.move(.r3, 0)
    assembler.load(.word, .r1, from: .r7, Variable.isFragment)
    assembler.jump(if: .r1, .notEqual, 0, to: done)
    assembler.load(.word, .r1, from: .r6, Context.segments)
    assembler.jump(if: .r1, .less, 2, to: single)
    assembler.move(.r5, 8)
    assembler.load(.word, .r1, from: .r7, Variable.protocolNumber)
    assembler.jump(if: .r1, .notEqual, 6, to: udp)
    assembler.load(.word, .r2, from: .r7, Variable.transportStart)
    assembler.calculate(.add, .r2, 12)
    assembler.move(.r1, .r6)
    assembler.move(.r3, .r7)
    assembler.calculate64(.add, .r3, Int32(Variable.transport))
    assembler.move(.r4, 1)
    assembler.call(.loadBytes)
    assembler.load(.byte, .r5, from: .r7, Variable.transport)
    assembler.calculate(.shiftRight, .r5, 4)
    assembler.calculate(.shiftLeft, .r5, 2)
    assembler.place(udp)
    assembler.load(.word, .r3, from: .r6, Context.segmentSize)
    assembler.calculate(.add, .r3, .r5)
    assembler.load(.word, .r1, from: .r7, Variable.transportStart)
    assembler.calculate(.add, .r3, .r1)
    assembler.calculate(.subtract, .r3, UInt32(environment.linkHeaderLength))
    assembler.jump(to: done)
    assembler.place(single)
    assembler.load(.word, .r3, from: .r6, Context.length)
    assembler.calculate(.subtract, .r3, UInt32(environment.linkHeaderLength))
    assembler.place(done)
  }
}
