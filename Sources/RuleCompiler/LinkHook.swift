package import BPF
import DivertWire
import Firewall

/// The program on the egress of a link: packets from the rule hooks go on to the sockets, frames that clients
/// wrote go back into the packet path.
///
/// It trusts nothing that a client wrote: frames are told apart by the secret in `cb` (ours) and by the cookie of
/// the socket that sent them (a client's). A frame that is refused is dropped, which its sender sees as ENOBUFS.
///
/// Registers: r6 the context, r7 the rights of the sending socket, r8 the frame's interface, r9 its flags.
package struct LinkHook: ~Copyable {
  private var assembler = Assembler()
  private let secret: UInt64
  private let refuse: Label

  /// The index of the loopback interface, which is 1 in every network namespace.
  private static var loopback: UInt32 { 1 }

  private enum Frame {
    /// 14 bytes.
    static let header = -16
    static let key = -24
    static let cookie = -32
    /// 60 bytes: the IP header with its options.
    static let packet = -112
    /// `struct bpf_fib_lookup`, 64 bytes.
    static let route = -176
    /// `struct bpf_redir_neigh`, 20 bytes.
    static let neighbour = -200
  }

  /// `struct bpf_fib_lookup` (linux/bpf.h).
  private enum Route {
    static let family = Frame.route
    static let totalLength = Frame.route + 6
    static let interface = Frame.route + 8
    static let typeOfService = Frame.route + 12
    static let source = Frame.route + 16
    static let destination = Frame.route + 32
    static let skipNeighbour: Int32 = 1 << 2
    static let noNeighbour: UInt32 = 7
    static let notForwarded: UInt32 = 4
    static let needsFragmenting: UInt32 = 8
  }

  package static func compile(secret: UInt64, maps: borrowing HookMaps) throws(AssemblerError)
    -> [Instruction]
  {
    var hook = LinkHook(secret: secret)
    hook.tellApart(maps)
    hook.outgoing(maps)
    hook.incoming(maps)
    hook.assembler.place(hook.refuse)
    hook.assembler.count(.badFrame, maps, key: Frame.key)
    hook.assembler.answer(Answer.drop)
    return try hook.assembler.finish()
  }

  private init(secret: UInt64) {
    self.secret = secret
    refuse = assembler.makeLabel()
    incomingPass = assembler.makeLabel()
  }

  private let incomingPass: Label

  /// Who wrote this frame, what it asks for, and the mark that its packet will carry.
  private mutating func tellApart(_ maps: borrowing HookMaps) {
    let (client, stranger, deliver, marked) = (
      assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel()
    )
    assembler.move(.r6, .r1)
    assembler.requireSecret(secret, otherwise: client)
    assembler.clearMark()
    assembler.answer(Answer.next)

    assembler.place(client)
    assembler.move(.r1, .r6)
    assembler.call(.socketCookie)
    assembler.store(.doubleword, .r0, to: .r10, Frame.cookie)
    assembler.lookUp(maps.sockets, key: Frame.cookie)
    assembler.jump64(if: .r0, .equal, 0, to: stranger)
    assembler.load(.word, .r7, from: .r0, 0)

    assembler.loadBytes(at: 0, count: FrameHeader.packetOffset, to: Frame.header)
    assembler.jump(if: .r0, .notEqual, 0, to: refuse)
    assembler.load(.byte, .r1, from: .r10, Frame.header + 11)
    assembler.jump(if: .r1, .notEqual, UInt32(FrameHeader.version), to: refuse)
    assembler.load(.byte, .r1, from: .r10, Frame.header + 10)
    assembler.jump(if: .r1, .equal, UInt32(FrameHeader.Operation.deliver.rawValue), to: deliver)

    let (operation, judged) = (assembler.makeLabel(), UInt32(FrameHeader.Operation.accept.rawValue))
    assembler.move(.r3, 0)
    assembler.jump(if: .r1, .equal, UInt32(FrameHeader.Operation.reinject.rawValue), to: operation)
    assembler.jump(if: .r1, .notEqual, judged, to: refuse)
    assembler.move32(.r2, .r7)
    assembler.calculate(.and, .r2, SocketRights.deliver.rawValue)
    assembler.jump(if: .r2, .equal, 0, to: refuse)
    assembler.move32(.r3, Mark.judged)
    assembler.place(operation)

    assembler.load(.word, .r8, from: .r10, Frame.header + 4)
    assembler.swapBigEndian(.r8, bits: 32)
    assembler.load(.byte, .r9, from: .r10, Frame.header + 8)
    assembler.load(.byte, .r2, from: .r10, Frame.header + 9)
    assembler.calculate(.shiftLeft, .r2, Mark.passesShift)
    assembler.calculate(.or, .r3, .r2)
    assembler.load(.halfword, .r2, from: .r10, Frame.header + 2)
    assembler.swapBigEndian(.r2, bits: 16)
    assembler.calculate(.or, .r3, .r2)
    assembler.store(.word, .r3, to: .r6, Context.word(2))
    assembler.storeSecret(secret)
    // Only a receive interface is part of the mark: which one a packet leaves by is decided by its route.
    assembler.move(.r1, 0)
    assembler.move32(.r2, .r9)
    assembler.calculate(.and, .r2, UInt32(FrameHeader.Flags.transmitInterface.rawValue))
    assembler.jump(if: .r2, .notEqual, 0, to: marked)
    assembler.move32(.r1, .r8)
    assembler.place(marked)
    assembler.store(.word, .r1, to: .r6, Context.word(3))

    // Frames of more than a page arrive with 14 linear bytes, and redirection reads the IP header from those.
    assembler.move(.r1, .r6)
    assembler.move(.r2, 54)
    assembler.call(.pullData)

    assembler.move32(.r2, .r9)
    assembler.calculate(.and, .r2, UInt32(FrameHeader.Flags.outgoing.rawValue))
    assembler.jump(if: .r2, .equal, 0, to: incomingPass)
    let out = assembler.makeLabel()
    assembler.jump(to: out)

    assembler.place(deliver)
    assembler.calculate(.and, .r7, SocketRights.deliver.rawValue)
    assembler.jump(if: .r7, .equal, 0, to: refuse)
    assembler.count(.delivered, maps, key: Frame.key)
    assembler.answer(Answer.next)

    assembler.place(stranger)
    assembler.count(.stranger, maps, key: Frame.key)
    assembler.answer(Answer.drop)
    assembler.place(out)
  }

  // MARK: Outgoing: next-hop forwarding, as of local output

  private mutating func outgoing(_ maps: borrowing HookMaps) {
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
    let (found, elsewhere, tooBig) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    assembler.move(.r1, .r6)
    assembler.move(.r2, .r10)
    assembler.calculate64(.add, .r2, Int32(Frame.route))
    assembler.move(.r3, 64)
    assembler.move(.r4, Route.skipNeighbour)
    assembler.call(.routeLookup)
    assembler.jump(if: .r0, .equal, 0, to: found)
    assembler.jump(if: .r0, .equal, Route.noNeighbour, to: found)
    assembler.jump(if: .r0, .equal, Route.notForwarded, to: elsewhere)
    assembler.jump(if: .r0, .equal, Route.needsFragmenting, to: tooBig)
    assembler.count(.noRoute, maps, key: Frame.key)
    assembler.answer(Answer.drop)
    assembler.place(tooBig)
    assembler.count(.tooBig, maps, key: Frame.key)
    assembler.answer(Answer.drop)

    assembler.place(found)
    assembler.count(.reinjectedOutgoing, maps, key: Frame.key)
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
    notForwarded(maps)
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

    assembler.store(.byte, value: 2, to: .r10, Route.family)  // AF_INET
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
    assembler.store(.byte, value: 10, to: .r10, Route.family)  // AF_INET6
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
    assembler.count(.reinjectedOutgoing, maps, key: Frame.key)
    clearAddresses()
    assembler.move32(.r1, .r8)
    assembler.move(.r2, 0)
    assembler.move(.r3, 0)
    assembler.move(.r4, 0)
    assembler.call(.redirectNeighbour)
    assembler.exit()
  }

  /// No unicast route: an address of this host, or broadcast or multicast.
  private mutating func notForwarded(_ maps: borrowing HookMaps) {
    let (version6, onLink, multicast6, send, local) = (
      assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(),
      assembler.makeLabel()
    )
    assembler.load(.byte, .r1, from: .r10, Route.family)
    assembler.jump(if: .r1, .equal, 10, to: version6)
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 16)
    assembler.jump(if: .r1, .equal, 127, to: local)
    assembler.lookUp(maps.local4, key: Frame.packet + 16)
    assembler.jump64(if: .r0, .notEqual, 0, to: local)
    // RFC 1112 §6.4: 01:00:5e and the low 23 bits of the group; anything else is a broadcast address.
    assembler.load(.byte, .r1, from: .r10, Frame.packet + 16)
    assembler.calculate(.and, .r1, 0xf0)
    assembler.store(.word, value: .max, to: .r10, Frame.header)
    assembler.store(.halfword, value: 0xffff, to: .r10, Frame.header + 4)
    assembler.jump(if: .r1, .notEqual, 0xe0, to: onLink)
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
    assembler.jump(to: local)
    assembler.place(multicast6)
    // RFC 2464 §7: 33:33 and the last four bytes of the group.
    assembler.store(.halfword, value: 0x3333, to: .r10, Frame.header)
    assembler.load(.word, .r1, from: .r10, Frame.packet + 36)
    assembler.store(.halfword, .r1, to: .r10, Frame.header + 2)
    assembler.calculate(.shiftRight, .r1, 16)
    assembler.store(.halfword, .r1, to: .r10, Frame.header + 4)

    assembler.place(onLink)
    loadInterface(maps)
    for offset in stride(from: 0, to: 6, by: 2) {
      assembler.load(.halfword, .r1, from: .r0, offset)
      assembler.store(.halfword, .r1, to: .r10, Frame.header + 6 + offset)
    }
    assembler.place(send)
    assembler.count(.reinjectedOutgoing, maps, key: Frame.key)
    assembler.storeBytes(from: Frame.header, count: 12, at: 0)
    assembler.move32(.r1, .r8)
    assembler.move(.r2, 0)
    assembler.call(.redirect)
    assembler.exit()

    assembler.place(local)
    assembler.count(.reinjectedOutgoing, maps, key: Frame.key)
    enterLoopback()
  }

  // MARK: Incoming: back onto the interface that received it

  private mutating func incoming(_ maps: borrowing HookMaps) {
    let (device, multicast, send) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
    assembler.place(incomingPass)
    assembler.count(.reinjectedIncoming, maps, key: Frame.key)
    loadInterface(maps)
    assembler.load(.halfword, .r1, from: .r0, 6)
    assembler.calculate(.and, .r1, UInt32(HookInterface.loopback))
    assembler.jump(if: .r1, .equal, 0, to: device)
    // Straight into loopback's ingress a packet would need sysctls (route_localnet, accept_local); through its
    // egress, which lets it pass untouched, it needs none.
    assembler.load(.word, .r1, from: .r6, Context.word(2))
    assembler.calculate(.or, .r1, Mark.loopbackIncoming)
    assembler.store(.word, .r1, to: .r6, Context.word(2))
    enterLoopback()

    assembler.place(device)
    for (from, width) in [(0, Width.word), (4, .halfword)] {
      assembler.load(width, .r1, from: .r0, from)
      assembler.store(width, .r1, to: .r10, Frame.header + from)
    }
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

  /// r0 = the ``HookInterface`` numbered in r8; without one the frame is refused.
  private mutating func loadInterface(_ maps: borrowing HookMaps) {
    let found = assembler.makeLabel()
    assembler.store(.word, .r8, to: .r10, Frame.key)
    assembler.lookUp(maps.interfaces, key: Frame.key)
    assembler.jump64(if: .r0, .notEqual, 0, to: found)
    assembler.count(.noInterface, maps, key: Frame.key)
    assembler.answer(Answer.drop)
    assembler.place(found)
  }

  /// Neighbour redirection drops frames to a group address, and the header's first byte, from the port, may look like
  /// one.
  private mutating func clearAddresses() {
    for offset in stride(from: 0, to: 12, by: 4) {
      assembler.store(.word, value: 0, to: .r10, Frame.header + offset)
    }
    assembler.storeBytes(from: Frame.header, count: 12, at: 0)
  }

  private mutating func enterLoopback() {
    clearAddresses()
    assembler.move32(.r1, Self.loopback)
    assembler.move(.r2, 0)
    assembler.move(.r3, 0)
    assembler.move(.r4, 0)
    assembler.call(.redirectNeighbour)
    assembler.exit()
  }
}
