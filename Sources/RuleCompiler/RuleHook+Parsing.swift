import BPF
import DivertWire

/// Reading the packet: the same fields, under the same conditions, as ``PacketFields/init(parsing:)``. Here r9 is the
/// number of the protocol that has been come to.
extension RuleHook {
  /// IPv6 extension headers that are read past; a packet with more is judged in user space.
  private static var extensionHeaderLimit: Int { 8 }

  mutating func parse(_ maps: borrowing HookMaps) {
    let start = environment.linkHeaderLength
    let version4 = assembler.makeLabel()
    let version6 = assembler.makeLabel()
    let transport = assembler.makeLabel()
    let done = assembler.makeLabel()

    assembler.store(.word, value: TransportKind.none, to: .r7, Variable.transportKind)
    for variable in [
      Variable.sourcePort, Variable.destinationPort, Variable.icmpType, Variable.tcpFlags,
      Variable.fragmentOffset,
      Variable.isFragment, Variable.source4, Variable.destination4,
    ] {
      assembler.store(.word, value: 0, to: .r7, variable)
    }
    assembler.load(.word, .r1, from: .r6, Context.networkProtocol)
    assembler.jump(if: .r1, .equal, UInt32(UInt16(0x0800).bigEndian), to: version4)
    assembler.jump(if: .r1, .equal, UInt32(UInt16(0x86dd).bigEndian), to: version6)
    assembler.jump(to: letGo)

    assembler.place(version4)
    readIPv4(start, transport: transport, done: done, maps)
    assembler.place(version6)
    readIPv6(start, transport: transport, done: done)
    assembler.place(transport)
    readTransport(done: done)
    assembler.place(done)
    assembler.store(.word, .r9, to: .r7, Variable.protocolNumber)
    measure()
  }

  /// RFC 791 §3.1.
  private mutating func readIPv4(
    _ start: Int, transport: Label, done: Label, _ maps: borrowing HookMaps
  ) {
    assembler.store(.word, value: 4, to: .r7, Variable.version)
    assembler.loadBytes(at: start, count: 20, to: Variable.header)
    assembler.jump(if: .r0, .notEqual, 0, to: refuse)
    assembler.load(.byte, .r3, from: .r7, Variable.header)
    assembler.move32(.r1, .r3)
    assembler.calculate(.shiftRight, .r1, 4)
    assembler.jump(if: .r1, .notEqual, 4, to: refuse)
    assembler.calculate(.and, .r3, 0x0f)
    assembler.calculate(.shiftLeft, .r3, 2)
    assembler.jump(if: .r3, .less, 20, to: refuse)
    if !isOutgoing { requireHeaderChecksum(start, maps) }
    assembler.load(.halfword, .r2, from: .r7, Variable.header + 2)
    assembler.swapBigEndian(.r2, bits: 16)
    readLengthOfGiant(.r2, start)
    assembler.jump(if: .r2, .less, .r3, to: refuse)
    requirePresent(.r2, start)
    assembler.store(.word, .r2, to: .r7, Variable.bytes)

    assembler.load(.byte, .r9, from: .r7, Variable.header + 9)
    assembler.load(.halfword, .r4, from: .r7, Variable.header + 6)
    assembler.swapBigEndian(.r4, bits: 16)
    assembler.calculate(.and, .r4, 0x3fff)
    assembler.store(.word, .r4, to: .r7, Variable.isFragment)
    assembler.calculate(.and, .r4, 0x1fff)
    assembler.store(.word, .r4, to: .r7, Variable.fragmentOffset)
    refuseTinyTCPFragment(offset: .r4, unit: 1)
    for (offset, variable) in [(12, Variable.source4), (16, Variable.destination4)] {
      assembler.load(.word, .r1, from: .r7, Variable.header + offset)
      assembler.swapBigEndian(.r1, bits: 32)
      assembler.store(.word, .r1, to: .r7, variable)
    }
    assembler.calculate(.subtract, .r2, .r3)
    assembler.store(.word, .r2, to: .r7, Variable.transportLength)
    assembler.calculate(.add, .r3, UInt32(start))
    assembler.store(.word, .r3, to: .r7, Variable.transportStart)
    assembler.jump(if: .r4, .notEqual, 0, to: done)
    assembler.jump(to: transport)
  }

  /// RFC 1122 §3.2.1.2: a packet that came in with a wrong header checksum is discarded, before any rule. The header's
  /// length is in r3; changes r0...r5 but r3.
  private mutating func requireHeaderChecksum(_ start: Int, _ maps: borrowing HookMaps) {
    let (plain, fine, fresh) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    assembler.store(.word, .r3, to: .r7, Variable.transportStart)
    assembler.move(.r1, 0)
    addWords(from: Variable.header, count: 5)
    assembler.calculate(.subtract, .r3, 20)
    assembler.jump(if: .r3, .equal, 0, to: plain)

    assembler.jump(if: .r3, .greater, 40, to: refuse)
    assembler.store(.doubleword, .r1, to: .r7, Variable.time)
    for offset in stride(from: 0, to: 40, by: 8) {
      assembler.store(.doubleword, value: 0, to: .r7, Variable.options + offset)
    }
    assembler.move32(.r4, .r3)
    assembler.move(.r1, .r6)
    assembler.move(.r2, Int32(start + 20))
    assembler.move(.r3, .r7)
    assembler.calculate64(.add, .r3, Int32(Variable.options))
    assembler.call(.loadBytes)
    assembler.jump(if: .r0, .notEqual, 0, to: refuse)
    assembler.load(.doubleword, .r1, from: .r7, Variable.time)
    addWords(from: Variable.options, count: 10)

    assembler.place(plain)
    foldSum()
    assembler.jump(if: .r1, .equal, 0xffff, to: fine)
    assembler.load(.word, .r1, from: .r7, Variable.reinjected)
    assembler.jump(if: .r1, .equal, 0, to: fresh)
    assembler.count(.badChecksum, ofSlot: Variable.writerSlot, maps)
    assembler.place(fresh)
    assembler.jump(to: refuse)
    assembler.place(fine)
    assembler.load(.word, .r3, from: .r7, Variable.transportStart)
  }

  /// Adds 32-bit words among the variables to r1, which has room for their carries; changes r2.
  private mutating func addWords(from variable: Int, count: Int) {
    for index in 0..<count {
      assembler.load(.word, .r2, from: .r7, variable + 4 * index)
      assembler.calculate64(.add, .r1, .r2)
    }
  }

  /// The sum of up to 15 words in r1 becomes that of their 16-bit halves (RFC 1071 §2); changes r2.
  private mutating func foldSum() {
    assembler.move(.r2, .r1)
    assembler.calculate64(.shiftRight, .r2, 32)
    assembler.move32(.r1, .r1)
    assembler.calculate64(.add, .r1, .r2)
    // What carries from the upper half leaves little in the lower one: two folds do.
    for _ in 0..<2 {
      assembler.move(.r2, .r1)
      assembler.calculate64(.shiftRight, .r2, 16)
      assembler.calculate(.and, .r1, 0xffff)
      assembler.calculate64(.add, .r1, .r2)
    }
  }

  /// RFC 8200 §3 and §4.
  private mutating func readIPv6(_ start: Int, transport: Label, done: Label) {
    assembler.store(.word, value: 6, to: .r7, Variable.version)
    assembler.loadBytes(at: start, count: 40, to: Variable.header)
    assembler.jump(if: .r0, .notEqual, 0, to: refuse)
    assembler.load(.byte, .r1, from: .r7, Variable.header)
    assembler.calculate(.shiftRight, .r1, 4)
    assembler.jump(if: .r1, .notEqual, 6, to: refuse)
    assembler.load(.halfword, .r2, from: .r7, Variable.header + 4)
    assembler.swapBigEndian(.r2, bits: 16)
    readLengthOfGiant(.r2, start + 40)
    assembler.store(.word, .r2, to: .r7, Variable.transportLength)
    assembler.calculate(.add, .r2, 40)
    requirePresent(.r2, start)
    assembler.store(.word, .r2, to: .r7, Variable.bytes)
    assembler.load(.byte, .r9, from: .r7, Variable.header + 6)
    assembler.store(.word, value: UInt32(start + 40), to: .r7, Variable.transportStart)

    for _ in 0..<Self.extensionHeaderLimit {
      let fragment = assembler.makeLabel()
      let units = assembler.makeLabel()
      let authentication = assembler.makeLabel()
      let next = assembler.makeLabel()
      assembler.jump(if: .r9, .equal, 44, to: fragment)
      assembler.jump(if: .r9, .equal, 51, to: authentication)
      for number: UInt32 in [0, 43, 60, 135, 139, 140] { assembler.jump(if: .r9, .equal, number, to: units) }
      assembler.jump(to: transport)

      assembler.place(authentication)
      loadExtensionHeader()
      assembler.calculate(.add, .r3, 2)
      assembler.calculate(.shiftLeft, .r3, 2)
      skipExtensionHeader()
      assembler.jump(to: next)

      assembler.place(units)
      loadExtensionHeader()
      assembler.calculate(.add, .r3, 1)
      assembler.calculate(.shiftLeft, .r3, 3)
      skipExtensionHeader()
      assembler.jump(to: next)

      assembler.place(fragment)
      loadExtensionHeader()
      assembler.move(.r3, 8)
      skipExtensionHeader()
      assembler.load(.halfword, .r4, from: .r7, Variable.transport + 2)
      assembler.swapBigEndian(.r4, bits: 16)
      assembler.calculate(.and, .r4, 0xfff9)
      assembler.store(.word, .r4, to: .r7, Variable.isFragment)
      assembler.calculate(.and, .r4, 0xfff8)
      assembler.load(.byte, .r9, from: .r7, Variable.transport)
      assembler.jump(if: .r4, .equal, 0, to: next)
      assembler.store(.word, .r4, to: .r7, Variable.fragmentOffset)
      refuseTinyTCPFragment(offset: .r4, unit: 8)
      assembler.jump(to: done)
      assembler.place(next)
      assembler.load(.byte, .r9, from: .r7, Variable.transport)
    }
    goUpFromTheBeginning()
  }

  /// The first four bytes of the extension header into `Variable.transport`, its length field into r3.
  private mutating func loadExtensionHeader() {
    assembler.load(.word, .r2, from: .r7, Variable.transportLength)
    assembler.jump(if: .r2, .less, 8, to: refuse)
    loadTransport(count: 4)
    assembler.load(.byte, .r3, from: .r7, Variable.transport + 1)
  }

  /// Moves on by the bytes in r3.
  private mutating func skipExtensionHeader() {
    assembler.load(.word, .r2, from: .r7, Variable.transportLength)
    assembler.jump(if: .r2, .less, .r3, to: refuse)
    assembler.calculate(.subtract, .r2, .r3)
    assembler.store(.word, .r2, to: .r7, Variable.transportLength)
    assembler.load(.word, .r2, from: .r7, Variable.transportStart)
    assembler.calculate(.add, .r2, .r3)
    assembler.store(.word, .r2, to: .r7, Variable.transportStart)
  }

  private mutating func readTransport(done: Label) {
    let ports = assembler.makeLabel()
    let tcp = assembler.makeLabel()
    let loaded = assembler.makeLabel()
    let icmp = assembler.makeLabel()
    let icmp6 = assembler.makeLabel()
    assembler.load(.word, .r2, from: .r7, Variable.transportLength)
    for (number, size): (UInt32, UInt32) in [(6, 20), (17, 8), (136, 8), (132, 12)] {
      let other = assembler.makeLabel()
      assembler.jump(if: .r9, .notEqual, number, to: other)
      assembler.jump(if: .r2, .greaterOrEqual, size, to: number == 6 ? tcp : ports)
      assembler.jump(to: refuse)
      assembler.place(other)
    }
    assembler.load(.word, .r1, from: .r7, Variable.version)
    assembler.jump(if: .r9, .equal, 58, to: icmp6)
    assembler.jump(if: .r9, .notEqual, 1, to: done)
    assembler.jump(if: .r1, .equal, 4, to: icmp)
    assembler.jump(to: done)
    assembler.place(icmp6)
    assembler.jump(if: .r1, .notEqual, 6, to: done)

    assembler.place(icmp)
    assembler.jump(if: .r2, .less, 4, to: refuse)
    loadTransport(count: 4)
    assembler.load(.byte, .r1, from: .r7, Variable.transport)
    assembler.store(.word, .r1, to: .r7, Variable.icmpType)
    assembler.store(.word, value: TransportKind.icmp, to: .r7, Variable.transportKind)
    assembler.jump(to: done)

    assembler.place(tcp)
    loadTransport(count: 14)
    assembler.load(.byte, .r1, from: .r7, Variable.transport + 13)
    assembler.store(.word, .r1, to: .r7, Variable.tcpFlags)
    assembler.jump(to: loaded)

    assembler.place(ports)
    loadTransport(count: 4)
    assembler.place(loaded)
    for (offset, variable) in [(0, Variable.sourcePort), (2, Variable.destinationPort)] {
      assembler.load(.halfword, .r1, from: .r7, Variable.transport + offset)
      assembler.swapBigEndian(.r1, bits: 16)
      assembler.store(.word, .r1, to: .r7, variable)
    }
    assembler.store(.word, value: TransportKind.ports, to: .r7, Variable.transportKind)
  }

  /// Rules count packets as they are on the wire: a super-packet as its segments, each with its headers.
  private mutating func measure() {
    let single = assembler.makeLabel()
    let tcp = assembler.makeLabel()
    let add = assembler.makeLabel()
    assembler.store(.word, value: 1, to: .r7, Variable.packets)
    assembler.load(.word, .r1, from: .r6, Context.segments)
    assembler.jump(if: .r1, .less, 2, to: single)
    assembler.store(.word, .r1, to: .r7, Variable.packets)
    // Headers of a segment: from the IP header to the end of the transport header.
    assembler.jump(if: .r9, .equal, 6, to: tcp)
    assembler.move(.r3, 8)
    assembler.jump(to: add)
    assembler.place(tcp)
    assembler.load(.word, .r2, from: .r7, Variable.transportStart)
    assembler.calculate(.add, .r2, 12)
    assembler.move(.r1, .r6)
    assembler.move(.r3, .r7)
    assembler.calculate64(.add, .r3, Int32(Variable.transport))
    assembler.move(.r4, 1)
    assembler.call(.loadBytes)
    assembler.jump(if: .r0, .notEqual, 0, to: single)
    assembler.load(.byte, .r3, from: .r7, Variable.transport)
    assembler.calculate(.shiftRight, .r3, 4)
    assembler.calculate(.shiftLeft, .r3, 2)
    assembler.place(add)
    assembler.load(.word, .r2, from: .r7, Variable.transportStart)
    assembler.calculate(.add, .r3, .r2)
    assembler.calculate(.subtract, .r3, UInt32(environment.linkHeaderLength))
    assembler.load(.word, .r1, from: .r7, Variable.packets)
    assembler.calculate(.subtract, .r1, 1)
    assembler.calculate(.multiply, .r1, .r3)
    assembler.load(.word, .r2, from: .r7, Variable.bytes)
    assembler.calculate(.add, .r2, .r1)
    assembler.store(.word, .r2, to: .r7, Variable.bytes)
    assembler.place(single)
  }

  /// A super-packet of more than 65 535 bytes says 0 in its length field (BIG TCP, and retransmissions over loopback):
  /// it is as long as it is, and is cut to wire size on its way to a socket. Changes r1.
  private mutating func readLengthOfGiant(_ length: Register, _ start: Int) {
    let said = assembler.makeLabel()
    assembler.jump(if: length, .notEqual, 0, to: said)
    assembler.load(.word, .r1, from: .r6, Context.segments)
    assembler.jump(if: .r1, .less, 2, to: said)
    assembler.load(.word, length, from: .r6, Context.length)
    assembler.calculate(.subtract, length, UInt32(start))
    assembler.place(said)
  }

  /// Refuses a packet that claims more IP bytes (in the register) than there are; changes r1.
  private mutating func requirePresent(_ length: Register, _ start: Int) {
    assembler.load(.word, .r1, from: .r6, Context.length)
    assembler.calculate(.subtract, .r1, UInt32(start))
    assembler.jump(if: length, .greater, .r1, to: refuse)
  }

  /// RFC 3128: a TCP fragment at offset 8 would rewrite the flags of the first one; ipfw drops it unasked, too.
  private mutating func refuseTinyTCPFragment(offset: Register, unit: UInt32) {
    let fine = assembler.makeLabel()
    assembler.jump(if: .r9, .notEqual, 6, to: fine)
    assembler.jump(if: offset, .equal, unit, to: refuse)
    assembler.place(fine)
  }

  /// Bytes at `Variable.transportStart` to `Variable.transport`.
  private mutating func loadTransport(count: Int) {
    assembler.move(.r1, .r6)
    assembler.load(.word, .r2, from: .r7, Variable.transportStart)
    assembler.move(.r3, .r7)
    assembler.calculate64(.add, .r3, Int32(Variable.transport))
    assembler.move(.r4, Int32(count))
    assembler.call(.loadBytes)
    assembler.jump(if: .r0, .notEqual, 0, to: refuse)
  }
}
