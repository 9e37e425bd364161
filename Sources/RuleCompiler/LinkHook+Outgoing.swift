import BPF
import DivertWire

/// Outgoing: next-hop forwarding, as of local output. divert(4): "outgoing packets are diverted before next hop
/// forwarding".
extension LinkHook {
  mutating func outgoing(_ maps: borrowing HookMaps) {
    let (version6, routed) = (assembler.makeLabel(), assembler.makeLabel())
    for offset in stride(from: 0, to: 64, by: 4) {
      assembler.store(.word, value: 0, to: .r10, Frame.route + offset)
    }
    // The route look-up fails unless forwarding is on for the interface it is asked for; for lo it is, and the
    // look-up then is one as of local output.
    assembler.store(.word, value: Self.loopback, to: .r10, Route.interface)
    assembler.load(.halfword, .r1, from: .r10, Frame.header + 12)
    assembler.jump(if: .r1, .equal, UInt32(UInt16(0x86dd).bigEndian), to: version6)
    assembler.jump(if: .r1, .notEqual, UInt32(UInt16(0x0800).bigEndian), to: refuse)
    routeIPv4(maps, routed: routed)
    assembler.place(version6)
    routeIPv6(maps, routed: routed)

    assembler.place(routed)
    let (lookUp, found, elsewhere, tooBig) = (
      assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel()
    )
    assembler.move(.r4, Route.skipNeighbour)
    assembler.load(.byte, .r5, from: .r10, Route.family)
    assembler.jump(if: .r5, .notEqual, Self.version4Family, to: lookUp)
    assembler.load(.word, .r5, from: .r10, Route.source)
    assembler.jump(if: .r5, .notEqual, 0, to: lookUp)
    assembler.move(.r4, Route.skipNeighbour | Route.findSource)
    assembler.place(lookUp)
    let (unmarked, answered) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.word, .r5, from: .r6, Context.mark)
    assembler.jump(if: .r5, .equal, 0, to: unmarked)
    assembler.store(.word, .r5, to: .r10, Route.mark)
    assembler.store(.word, .r4, to: .r10, Frame.lookupFlags)
    assembler.calculate(.or, .r4, UInt32(Route.byMark))
    lookUpRoute()
    assembler.jump(if: .r0, .lessOrEqual, UInt32(Int32.max), to: answered)
    // EINVAL: this kernel knows no such flag.
    assembler.load(.word, .r4, from: .r10, Frame.lookupFlags)
    assembler.place(unmarked)
    lookUpRoute()
    assembler.place(answered)
    assembler.jump(if: .r0, .equal, 0, to: found)
    assembler.jump(if: .r0, .equal, Route.noNeighbour, to: found)
    assembler.jump(if: .r0, .equal, Route.notForwarded, to: elsewhere)
    assembler.jump(if: .r0, .equal, Route.needsFragmenting, to: tooBig)
    drop(.noRoute, maps)
    assembler.place(tooBig)
    tooBigForRoute(maps)

    assembler.place(found)
    let (unicast, group, everybody) = (
      assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel()
    )
    requireIPv4(otherwise: unicast)
    refuseLoopbackSource(maps)
    // A default route leads to a gateway, which is not whom a packet to many is for.
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 16)
    assembler.calculate(.and, .r1, 0xf0)
    assembler.jump(if: .r1, .equal, 0xe0, to: group)
    assembler.load(.word, .r1, from: .r10, Frame.packet + 16)
    assembler.jump(if: .r1, .equal, .max, to: everybody)
    assembler.place(unicast)
    assembler.count(.reinjectedOutgoing, ofSlot: Frame.slot, maps)
    fillSource()
    clearAddresses()
    // The next hop's family may differ from the packet's: an IPv6 gateway of an IPv4 route (RFC 5549).
    assembler.load(.byte, .r1, from: .r10, Route.family)
    assembler.store(.word, .r1, to: .r10, Frame.neighbour)
    for word in 0..<4 {
      assembler.load(.word, .r1, from: .r10, Route.destination + word * 4)
      assembler.store(.word, .r1, to: .r10, Frame.neighbour + 4 + word * 4)
    }
    assembler.load(.word, .r1, from: .r10, Route.interface)
    assembler.move(.r2, .r10)
    assembler.calculate64(.add, .r2, Int32(Frame.neighbour))
    assembler.move(.r3, 20)
    assembler.move(.r4, 0)
    assembler.call(.redirectNeighbour)
    assembler.exit()

    assembler.place(elsewhere)
    notForwarded(group: group, everybody: everybody, maps)
  }

  /// The next hop's family in the look-up's answer may be another.
  private mutating func requireIPv4(otherwise label: Label) {
    assembler.load(.byte, .r1, from: .r10, Frame.packet)
    assembler.jump(if: .r1, .greaterOrEqual, 0x60, to: label)
  }

  /// RFC 1122 §3.2.1.3: 127/8 must not leave the host; ip_output on BSD says EADDRNOTAVAIL.
  private mutating func refuseLoopbackSource(_ maps: borrowing HookMaps) {
    let fine = assembler.makeLabel()
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 12)
    assembler.jump(if: .r1, .notEqual, 127, to: fine)
    drop(.noInterface, maps)
    assembler.place(fine)
  }

  /// r0 = what the look-up with the flags in r4 says.
  private mutating func lookUpRoute() {
    assembler.move(.r1, .r6)
    assembler.move(.r2, .r10)
    assembler.calculate64(.add, .r2, Int32(Frame.route))
    assembler.move(.r3, 64)
    assembler.call(.routeLookup)
  }

  private static var version4Family: UInt32 { 2 }  // AF_INET
  private static var version6Family: UInt32 { 10 }  // AF_INET6

  /// A source of 0.0.0.0 becomes the address that packets to this destination leave with, as in ip_output on BSD.
  private mutating func fillSource() {
    let done = assembler.makeLabel()
    requireIPv4(otherwise: done)
    assembler.load(.word, .r1, from: .r10, Frame.packet + 12)
    assembler.jump(if: .r1, .notEqual, 0, to: done)
    assembler.load(.word, .r1, from: .r10, Route.source)
    assembler.store(.word, .r1, to: .r10, Frame.packet + 12)
    assembler.storeBytes(from: Frame.packet + 12, count: 4, at: FrameHeader.packetOffset + 12)
    overwriteHeaderChecksum()
    assembler.place(done)
  }

  /// "Don't fragment" (RFC 791 §3.1) is an error to the writer. All else divertd cuts: IPv6, too, as ip6_output does for
  /// divert sockets on BSD, since what is written may have come in fragments.
  private mutating func tooBigForRoute(_ maps: borrowing HookMaps) {
    let (cut, refused) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.byte, .r1, from: .r10, Route.family)
    assembler.jump(if: .r1, .equal, Self.version6Family, to: cut)
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 6)
    assembler.jump(if: .r1, .anyBitSet, 0x40, to: refused)
    assembler.jump(to: cut)
    assembler.place(refused)
    drop(.tooBig, maps)
    assembler.place(cut)
    assembler.load(.word, .r1, from: .r10, Route.interface)
    assembler.jump(to: upcall)
  }

  private mutating func routeIPv4(_ maps: borrowing HookMaps, routed: Label) {
    // Options beyond the header's end stay zero and do not change the sum.
    for offset in stride(from: 0, to: 60, by: 4) {
      assembler.store(.word, value: 0, to: .r10, Frame.packet + offset)
    }
    assembler.loadBytes(at: FrameHeader.packetOffset, count: 20, to: Frame.packet)
    assembler.jump(if: .r0, .notEqual, 0, to: refuse)
    assembler.load(.byte, .r4, from: .r10, Frame.packet)
    assembler.move32(.r1, .r4)
    assembler.calculate(.shiftRight, .r1, 4)
    assembler.jump(if: .r1, .notEqual, 4, to: refuse)
    assembler.calculate(.and, .r4, 15)
    assembler.calculate(.shiftLeft, .r4, 2)
    assembler.jump(if: .r4, .less, 20, to: refuse)
    assembler.jump(if: .r4, .greater, 60, to: refuse)
    assembler.move(.r1, .r6)
    assembler.move(.r2, Int32(FrameHeader.packetOffset))
    assembler.move(.r3, .r10)
    assembler.calculate64(.add, .r3, Int32(Frame.packet))
    assembler.call(.loadBytes)
    assembler.jump(if: .r0, .notEqual, 0, to: refuse)
    assembler.load(.halfword, .r2, from: .r10, Frame.packet + 2)
    assembler.swapBigEndian(.r2, bits: 16)
    assembler.load(.word, .r1, from: .r6, Context.length)
    assembler.calculate(.subtract, .r1, UInt32(FrameHeader.packetOffset))
    assembler.jump(if: .r2, .greater, .r1, to: refuse)
    assembler.store(.halfword, .r2, to: .r10, Route.totalLength)
    overwriteHeaderChecksum()

    assembler.store(.byte, value: Self.version4Family, to: .r10, Route.family)
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 1)
    assembler.store(.byte, .r1, to: .r10, Route.typeOfService)
    assembler.load(.word, .r1, from: .r10, Frame.packet + 12)
    assembler.store(.word, .r1, to: .r10, Route.source)
    assembler.load(.word, .r1, from: .r10, Frame.packet + 16)
    assembler.store(.word, .r1, to: .r10, Route.destination)
    assembler.jump(to: routed)
  }

  /// divert(4): "packets written as outgoing have their IP header checksums overwritten with the correct value".
  private mutating func overwriteHeaderChecksum() {
    assembler.store(.halfword, value: 0, to: .r10, Frame.packet + 10)
    assembler.move(.r1, 0)
    assembler.move(.r2, 0)
    assembler.move(.r3, .r10)
    assembler.calculate64(.add, .r3, Int32(Frame.packet))
    assembler.move(.r4, 60)
    assembler.move(.r5, 0)
    assembler.call(.checksumDifference)
    for _ in 0..<2 {
      assembler.move32(.r1, .r0)
      assembler.calculate(.shiftRight, .r1, 16)
      assembler.calculate(.and, .r0, 0xffff)
      assembler.calculate(.add, .r0, .r1)
    }
    assembler.calculate(.xor, .r0, 0xffff)
    assembler.store(.halfword, .r0, to: .r10, Frame.packet + 10)
    assembler.storeBytes(from: Frame.packet + 10, count: 2, at: FrameHeader.packetOffset + 10)
  }

  private mutating func routeIPv6(_ maps: borrowing HookMaps, routed: Label) {
    assembler.loadBytes(at: FrameHeader.packetOffset, count: 40, to: Frame.packet)
    assembler.jump(if: .r0, .notEqual, 0, to: refuse)
    assembler.load(.byte, .r1, from: .r10, Frame.packet)
    assembler.calculate(.shiftRight, .r1, 4)
    assembler.jump(if: .r1, .notEqual, 6, to: refuse)
    assembler.store(.byte, value: Self.version6Family, to: .r10, Route.family)
    assembler.load(.halfword, .r2, from: .r10, Frame.packet + 4)
    assembler.swapBigEndian(.r2, bits: 16)
    assembler.calculate(.add, .r2, 40)
    assembler.store(.halfword, .r2, to: .r10, Route.totalLength)
    for word in 0..<8 {
      assembler.load(.word, .r1, from: .r10, Frame.packet + 8 + word * 4)
      assembler.store(.word, .r1, to: .r10, Route.source + word * 4)
    }
    // Link-local destinations have no route of their own: they leave where they would have left (RFC 4007 §9).
    assembler.load(.halfword, .r1, from: .r10, Frame.packet + 24)
    assembler.swapBigEndian(.r1, bits: 16)
    assembler.calculate(.and, .r1, 0xffc0)
    assembler.jump(if: .r1, .notEqual, 0xfe80, to: routed)
    requireInterface(maps)
    assembler.count(.reinjectedOutgoing, ofSlot: Frame.slot, maps)
    clearAddresses()
    assembler.move32(.r1, .r8)
    assembler.move(.r2, 0)
    assembler.move(.r3, 0)
    assembler.move(.r4, 0)
    assembler.call(.redirectNeighbour)
    assembler.exit()
  }

  /// No unicast route: an address of this host, or broadcast or multicast. The last two (`everybody`, `group`) leave by
  /// the interface that the packet's address names; without one, by that of the route, if there is one.
  private mutating func notForwarded(group: Label, everybody: Label, _ maps: borrowing HookMaps) {
    let (version6, onLink, multicast6, local, broadcast) = (
      assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(),
      assembler.makeLabel()
    )
    assembler.store(.word, value: 0, to: .r10, Route.interface)
    assembler.load(.byte, .r1, from: .r10, Route.family)
    assembler.jump(if: .r1, .equal, Self.version6Family, to: version6)
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 16)
    assembler.jump(if: .r1, .equal, 127, to: local)
    assembler.lookUp(maps.local4, key: Frame.packet + 16)
    assembler.jump64(if: .r0, .notEqual, 0, to: local)
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 16)
    assembler.calculate(.and, .r1, 0xf0)
    assembler.jump(if: .r1, .equal, 0xe0, to: group)
    assembler.lookUp(maps.broadcast4, key: Frame.packet + 16)
    assembler.jump64(if: .r0, .notEqual, 0, to: broadcast)
    drop(.noRoute, maps)

    assembler.place(broadcast)
    assembler.load(.word, .r1, from: .r0, 0)
    assembler.store(.word, .r1, to: .r10, Route.interface)
    assembler.place(everybody)
    assembler.store(.word, value: .max, to: .r10, Frame.header)
    assembler.store(.halfword, value: 0xffff, to: .r10, Frame.header + 4)
    assembler.jump(to: onLink)

    assembler.place(group)
    // RFC 1112 §6.4: 01:00:5e and the low 23 bits of the group.
    assembler.store(.word, value: 0x005e_0001, to: .r10, Frame.header)
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 17)
    assembler.calculate(.and, .r1, 0x7f)
    assembler.store(.byte, .r1, to: .r10, Frame.header + 3)
    assembler.load(.halfword, .r1, from: .r10, Frame.packet + 18)
    assembler.store(.halfword, .r1, to: .r10, Frame.header + 4)
    assembler.jump(to: onLink)

    assembler.place(version6)
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 24)
    assembler.jump(if: .r1, .equal, 0xff, to: multicast6)
    assembler.lookUp(maps.local6, key: Frame.packet + 24)
    assembler.jump64(if: .r0, .notEqual, 0, to: local)
    drop(.noRoute, maps)
    assembler.place(multicast6)
    // RFC 2464 §7: 33:33 and the last four bytes of the group.
    assembler.store(.halfword, value: 0x3333, to: .r10, Frame.header)
    assembler.load(.word, .r1, from: .r10, Frame.packet + 36)
    assembler.store(.halfword, .r1, to: .r10, Frame.header + 2)
    assembler.calculate(.shiftRight, .r1, 16)
    assembler.store(.halfword, .r1, to: .r10, Frame.header + 4)

    assembler.place(onLink)
    let (named, version6OnLink) = (assembler.makeLabel(), assembler.makeLabel())
    let transmit = UInt32(FrameHeader.Flags.transmitInterface.rawValue)
    assembler.jump(if: .r9, .anyBitSet, transmit, to: named)
    assembler.load(.word, .r8, from: .r10, Route.interface)
    assembler.place(named)
    requireIPv4(otherwise: version6OnLink)
    refuseLoopbackSource(maps)
    assembler.place(version6OnLink)
    requireInterface(maps)
    for offset in stride(from: 0, to: 6, by: 2) {
      assembler.load(.halfword, .r1, from: .r0, offset)
      assembler.store(.halfword, .r1, to: .r10, Frame.header + 6 + offset)
    }
    assembler.count(.reinjectedOutgoing, ofSlot: Frame.slot, maps)
    assembler.storeBytes(from: Frame.header, count: 12, at: 0)
    assembler.move32(.r1, .r8)
    assembler.move(.r2, 0)
    assembler.call(.redirect)
    assembler.exit()

    assembler.place(local)
    assembler.count(.reinjectedOutgoing, ofSlot: Frame.slot, maps)
    enterLoopback()
  }

  /// r0 = the interface that the packet's address names, for a destination that no route leads to; it has to take the
  /// packet whole.
  private mutating func requireInterface(_ maps: borrowing HookMaps) {
    let (named, fits) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.jump(if: .r8, .notEqual, 0, to: named)
    drop(.noMulticastInterface, maps)
    assembler.place(named)
    loadInterface(maps)
    assembler.load(.word, .r1, from: .r6, Context.length)
    assembler.calculate(.subtract, .r1, UInt32(FrameHeader.packetOffset))
    assembler.load(.word, .r2, from: .r0, HookInterface.Offset.mtu)
    assembler.jump(if: .r1, .lessOrEqual, .r2, to: fits)
    assembler.move32(.r1, .r8)
    assembler.jump(to: upcall)
    assembler.place(fits)
  }
}
