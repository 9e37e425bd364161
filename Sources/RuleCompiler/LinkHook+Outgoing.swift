import BPF
import DivertWire

/// Outgoing: next-hop forwarding, as of local output. divert(4): "outgoing packets are diverted before next hop
/// forwarding".
extension LinkHook {
  mutating func outgoing(_ maps: borrowing HookMaps) {
    let (version6, known, ask, found, elsewhere, tooBig, goOn) = (
      assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(),
      assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel()
    )
    assembler.store(.word, value: 0, to: .r10, Frame.onlyAsksSize)
    assembler.store(.word, value: 0, to: .r10, Frame.isUnchanged)
    assembler.load(.halfword, .r1, from: .r10, Frame.header + 12)
    assembler.jump(if: .r1, .equal, UInt32(UInt16(0x86dd).bigEndian), to: version6)
    assembler.jump(if: .r1, .notEqual, UInt32(UInt16(0x0800).bigEndian), to: refuse)
    readIPv4(known: known)
    assembler.place(version6)
    readIPv6()
    assembler.place(known)
    takeFormerPath(lookUp: ask, tooBig: tooBig, goOn: goOn, maps)

    assembler.place(ask)
    let notLinkLocal = assembler.makeLabel()
    linkLocal(otherwise: notLinkLocal, maps)
    assembler.place(notLinkLocal)
    prepareLookUp()
    askForPacket()
    let mayGo = assembler.makeLabel()
    assembler.load(.word, .r1, from: .r10, Frame.onlyAsksSize)
    assembler.jump(if: .r1, .equal, 0, to: mayGo)
    assembler.jump(if: .r0, .notEqual, Route.needsFragmenting, to: goOn)
    assembler.load(.word, .r1, from: .r10, Frame.path + PathEntry.Path.transmitInterface)
    assembler.store(.word, .r1, to: .r10, Route.interface)
    assembler.jump(to: tooBig)
    assembler.place(mayGo)
    assembler.jump(if: .r0, .equal, 0, to: found)
    assembler.jump(if: .r0, .equal, Route.noNeighbour, to: found)
    assembler.jump(if: .r0, .equal, Route.notForwarded, to: elsewhere)
    let fails = assembler.makeLabel()
    assembler.jump(if: .r0, .notEqual, Route.needsFragmenting, to: fails)
    let freeToo = assembler.makeLabel()
    byBoundDevice(otherwise: freeToo, maps)
    assembler.place(freeToo)
    // Of what is too large the look-up does not say by which interface it would leave: it is asked without a length. Then
    // the kernel compares the frame with the device, and says both.
    assembler.store(.halfword, value: 0, to: .r10, Route.totalLength)
    askForPacket()
    assembler.jump(if: .r0, .equal, 0, to: tooBig)
    assembler.jump(if: .r0, .equal, Route.noNeighbour, to: tooBig)
    assembler.jump(if: .r0, .equal, Route.needsFragmenting, to: tooBig)
    assembler.place(fails)
    let unbound = assembler.makeLabel()
    byBoundDevice(otherwise: unbound, maps)
    assembler.place(unbound)
    drop(.noRoute, maps)
    assembler.place(tooBig)
    tooBigForRoute(maps)

    assembler.place(found)
    let (unicast, group, everybody) = (
      assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel()
    )
    let free = assembler.makeLabel()
    byBoundDevice(otherwise: free, maps)
    assembler.place(free)
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

  static var version4Family: UInt32 { 2 }  // AF_INET
  static var version6Family: UInt32 { 10 }  // AF_INET6

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
    assembler.load(.byte, .r1, from: .r10, Frame.wanted + PathEntry.Path.version)
    assembler.jump(if: .r1, .equal, 6, to: cut)
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 6)
    assembler.jump(if: .r1, .anyBitSet, 0x40, to: refused)
    assembler.jump(to: cut)
    assembler.place(refused)
    drop(.tooBig, maps)
    assembler.place(cut)
    assembler.load(.word, .r1, from: .r10, Route.interface)
    assembler.jump(to: upcall)
  }

  mutating func readIPv4(known: Label) {
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
    overwriteHeaderChecksum()

    for (field, offset) in [(PathEntry.Path.source, 12), (PathEntry.Path.destination, 16)] {
      assembler.load(.word, .r1, from: .r10, Frame.packet + offset)
      assembler.store(.doubleword, .r1, to: .r10, Frame.wanted + field)
      assembler.store(.doubleword, value: 0, to: .r10, Frame.wanted + field + 8)
    }
    assembler.store(.byte, value: 4, to: .r10, Frame.wanted + PathEntry.Path.version)
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 1)
    assembler.calculate(.and, .r1, 0xfc)
    assembler.store(.word, .r1, to: .r10, Frame.wanted + PathEntry.Path.service)
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 9)
    assembler.store(.byte, .r1, to: .r10, Frame.wanted + PathEntry.Path.transport)
    let (whole, read) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.load(.halfword, .r2, from: .r10, Frame.packet + 6)
    assembler.jump(if: .r2, .anyBitSet, UInt32(UInt16(0x3fff).bigEndian), to: read)
    assembler.jump(to: whole)
    assembler.place(read)
    assembler.move(.r1, 0)
    assembler.place(whole)
    assembler.load(.byte, .r2, from: .r10, Frame.packet)
    assembler.calculate(.and, .r2, 15)
    assembler.calculate(.shiftLeft, .r2, 2)
    readPorts()
    assembler.jump(to: known)
  }

  /// `Frame.wanted` gets the ports behind an IP header whose length is in r2; r1 is the transport, 0 if it has none here.
  private mutating func readPorts() {
    let (has, done) = (assembler.makeLabel(), assembler.makeLabel())
    assembler.store(.word, value: 0, to: .r10, Frame.wanted + PathEntry.Path.ports)
    for number in transportsWithPorts { assembler.jump(if: .r1, .equal, number, to: has) }
    assembler.jump(to: done)
    assembler.place(has)
    assembler.calculate(.add, .r2, UInt32(FrameHeader.packetOffset))
    assembler.move(.r1, .r6)
    assembler.move(.r3, .r10)
    assembler.calculate64(.add, .r3, Int32(Frame.key))
    assembler.move(.r4, 4)
    assembler.call(.loadBytes)
    assembler.jump(if: .r0, .notEqual, 0, to: done)
    assembler.load(.word, .r1, from: .r10, Frame.key)
    assembler.swapBigEndian(.r1, bits: 32)
    assembler.store(.word, .r1, to: .r10, Frame.wanted + PathEntry.Path.ports)
    assembler.place(done)
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

  mutating func readIPv6() {
    let fragment = assembler.makeLabel()
    assembler.loadBytes(at: FrameHeader.packetOffset, count: 40, to: Frame.packet)
    assembler.jump(if: .r0, .notEqual, 0, to: refuse)
    assembler.load(.byte, .r1, from: .r10, Frame.packet)
    assembler.calculate(.shiftRight, .r1, 4)
    assembler.jump(if: .r1, .notEqual, 6, to: refuse)
    for word in 0..<8 {
      assembler.load(.word, .r1, from: .r10, Frame.packet + 8 + word * 4)
      assembler.store(.word, .r1, to: .r10, Frame.wanted + word * 4)
    }
    assembler.store(.byte, value: 6, to: .r10, Frame.wanted + PathEntry.Path.version)
    assembler.load(.word, .r1, from: .r10, Frame.packet)
    assembler.swapBigEndian(.r1, bits: 32)
    assembler.calculate(.and, .r1, 0xffcf_ffff)
    assembler.store(.word, .r1, to: .r10, Frame.wanted + PathEntry.Path.service)
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 6)
    assembler.jump(if: .r1, .notEqual, 44, to: fragment)
    assembler.move(.r1, 0)
    assembler.place(fragment)
    assembler.store(.byte, .r1, to: .r10, Frame.wanted + PathEntry.Path.transport)
    assembler.move(.r2, 40)
    readPorts()
  }

  /// Link-local destinations have no route of their own: they leave where they would have left (RFC 4007 §9).
  private mutating func linkLocal(otherwise other: Label, _ maps: borrowing HookMaps) {
    assembler.load(.byte, .r1, from: .r10, Frame.wanted + PathEntry.Path.version)
    assembler.jump(if: .r1, .notEqual, 6, to: other)
    assembler.load(.halfword, .r1, from: .r10, Frame.packet + 24)
    assembler.swapBigEndian(.r1, bits: 16)
    assembler.calculate(.and, .r1, 0xffc0)
    assembler.jump(if: .r1, .notEqual, 0xfe80, to: other)
    requireInterface(maps)
    redirectToNeighbour(maps)
  }

  /// A packet that its program has changed, and whose socket is bound to a device (SO_BINDTODEVICE), leaves by that one
  /// all the same. (A socket bound to a VRF is bound to its routes.)
  private mutating func byBoundDevice(otherwise free: Label, _ maps: borrowing HookMaps) {
    assembler.load(.word, .r1, from: .r10, Frame.hasPath)
    assembler.jump(if: .r1, .equal, 0, to: free)
    assembler.load(.word, .r8, from: .r10, Frame.path + PathEntry.Path.boundInterface)
    assembler.jump(if: .r8, .equal, 0, to: free)
    assembler.load(.word, .r1, from: .r10, Frame.path + PathEntry.Path.transmitInterface)
    assembler.jump(if: .r1, .notEqual, .r8, to: free)
    requireInterface(maps)
    // Of an IPv6 packet the kernel's look-up for redirection does not insist on the device: it goes to the neighbour to
    // which it would have gone.
    let version6 = assembler.makeLabel()
    requireIPv4(otherwise: version6)
    redirectToNeighbour(maps)
    assembler.place(version6)
    assembler.count(.reinjectedOutgoing, ofSlot: Frame.slot, maps)
    assembler.storeBytes(from: Frame.path + PathEntry.Path.linkHeader, count: 12, at: 0)
    assembler.move32(.r1, .r8)
    assembler.move(.r2, 0)
    assembler.call(.redirect)
    assembler.exit()
  }

  /// To the device in r8, by the routes that lead there.
  private mutating func redirectToNeighbour(_ maps: borrowing HookMaps) {
    assembler.count(.reinjectedOutgoing, ofSlot: Frame.slot, maps)
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
    let foreign = assembler.makeLabel()
    findLocalRoute4(maps)
    assembler.jump64(if: .r0, .notEqual, 0, to: local)
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 16)
    assembler.calculate(.and, .r1, 0xf0)
    assembler.jump(if: .r1, .equal, 0xe0, to: group)
    assembler.lookUp(maps.broadcast4, key: Frame.packet + 16)
    assembler.jump64(if: .r0, .notEqual, 0, to: broadcast)
    assembler.place(foreign)
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
    assembler.store(.word, value: 128, to: .r10, Frame.neighbour)
    for word in 0..<4 {
      assembler.load(.word, .r1, from: .r10, Frame.packet + 24 + word * 4)
      assembler.store(.word, .r1, to: .r10, Frame.neighbour + 4 + word * 4)
    }
    assembler.lookUp(maps.localRoutes6, key: Frame.neighbour)
    assembler.jump64(if: .r0, .notEqual, 0, to: local)
    assembler.jump(to: foreign)
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

  /// r0 is not 0 where a route makes the IPv4 destination one of this host's addresses (`ip route add local`, too): the
  /// look-up for programs has one answer for such a packet and for one without a route.
  mutating func findLocalRoute4(_ maps: borrowing HookMaps) {
    assembler.store(.word, value: 32, to: .r10, Frame.neighbour)
    assembler.load(.word, .r1, from: .r10, Frame.packet + 16)
    assembler.store(.word, .r1, to: .r10, Frame.neighbour + 4)
    assembler.lookUp(maps.localRoutes4, key: Frame.neighbour)
  }

  /// r0 = the interface that the packet's address names, for a destination that no route leads to, or the one that has its
  /// source; it has to take the packet whole.
  private mutating func requireInterface(_ maps: borrowing HookMaps) {
    let (named, fits, version6, none, owned) = (
      assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(),
      assembler.makeLabel()
    )
    assembler.jump(if: .r8, .notEqual, 0, to: named)
    requireIPv4(otherwise: version6)
    assembler.lookUp(maps.local4, key: Frame.wanted + PathEntry.Path.source)
    assembler.jump64(if: .r0, .notEqual, 0, to: owned)
    assembler.jump(to: none)
    assembler.place(version6)
    assembler.lookUp(maps.local6, key: Frame.wanted + PathEntry.Path.source)
    assembler.jump64(if: .r0, .equal, 0, to: none)
    assembler.place(owned)
    assembler.load(.word, .r8, from: .r0, 0)
    assembler.jump(if: .r8, .notEqual, 0, to: named)
    assembler.place(none)
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
