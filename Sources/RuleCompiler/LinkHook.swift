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
  var assembler = Assembler()
  let secret: UInt64
  let upcallInterface: UInt32
  let refuse: Label
  let incomingPass: Label
  let upcall: Label
  /// ``Assembler/findPath(_:secret:_:)``.
  let findPath: Label
  /// ``askRoutes()``.
  let askRoutes: Label

  /// The index of the loopback interface, which is 1 in every network namespace.
  static var loopback: UInt32 { 1 }

  enum Frame {
    /// 14 bytes.
    static let header = -16
    static let key = -24
    static let cookie = -32
    /// Of the sending socket.
    static let slot = -36
    /// The 12 bytes as the client wrote them.
    static let headerCopy = -48
    /// 60 bytes: the IP header with its options.
    static let packet = -108
    /// `struct bpf_fib_lookup`, 64 bytes.
    static let route = -176
    /// `struct bpf_redir_neigh`, 20 bytes.
    static let neighbour = -200
    /// 1 where the table has the path that the packet was on.
    static let hasPath = -204
    /// ``PathEntry/longest``.
    static let longest = -208
    /// A copy of that ``PathEntry/Path``, 80 bytes.
    static let path = -288
    /// The same of the packet as it was written; ``PathEntry/Path/version`` and what stands before it.
    static let wanted = -368
    /// 1 where routes are asked only how large a packet the path takes.
    static let onlyAsksSize = -372
    /// 1 where the packet is as it was, as far as routing looks at it.
    static let isUnchanged = -376
  }

  /// `struct bpf_fib_lookup` (linux/bpf.h).
  enum Route {
    static let family = Frame.route
    static let transport = Frame.route + 1
    static let sourcePort = Frame.route + 2
    static let destinationPort = Frame.route + 4
    static let totalLength = Frame.route + 6
    static let interface = Frame.route + 8
    static let typeOfService = Frame.route + 12
    static let source = Frame.route + 16
    static let destination = Frame.route + 32
    static let mark = Frame.route + 52
    static let skipNeighbour: Int32 = 1 << 2
    /// Finds the source address, too (Linux 6.7).
    static let findSource: Int32 = 1 << 4
    /// Asks the routes that `ip rule` has for the packet's mark (Linux 6.10).
    static let byMark: Int32 = 1 << 5
    static let noNeighbour: UInt32 = 7
    static let notForwarded: UInt32 = 4
    static let forwardingDisabled: UInt32 = 5
    static let needsFragmenting: UInt32 = 8
  }

  /// - Parameter upcallInterface: The link whose socket is divertd's.
  package static func compile(
    secret: UInt64, upcallInterface: UInt32, maps: borrowing HookMaps
  ) throws(AssemblerError) -> [Instruction] {
    var hook = LinkHook(secret: secret, upcallInterface: upcallInterface)
    hook.tellApart(maps)
    hook.outgoing(maps)
    hook.incoming(maps)
    hook.handUp(maps)
    hook.assembler.place(hook.refuse)
    hook.drop(.badFrame, maps)
    hook.routeLookUp()
    hook.assembler.findPath(hook.findPath, secret: secret, maps)
    return try hook.assembler.finish()
  }

  private init(secret: UInt64, upcallInterface: UInt32) {
    (self.secret, self.upcallInterface) = (secret, upcallInterface)
    refuse = assembler.makeLabel()
    incomingPass = assembler.makeLabel()
    upcall = assembler.makeLabel()
    findPath = assembler.makeLabel()
    askRoutes = assembler.makeLabel()
  }

  /// Who wrote this frame, what it asks for, and the mark that its packet will carry.
  private mutating func tellApart(_ maps: borrowing HookMaps) {
    let (client, stranger, deliver, released, wayBack) = (
      assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel(),
      assembler.makeLabel()
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
    assembler.load(.word, .r7, from: .r0, HookSocket.Offset.rights)
    assembler.load(.word, .r1, from: .r0, HookSocket.Offset.slot)
    assembler.store(.word, .r1, to: .r10, Frame.slot)

    assembler.loadBytes(at: 0, count: FrameHeader.packetOffset, to: Frame.header)
    assembler.jump(if: .r0, .notEqual, 0, to: refuse)
    for offset in stride(from: 0, to: 12, by: 4) {
      assembler.load(.word, .r1, from: .r10, Frame.header + offset)
      assembler.store(.word, .r1, to: .r10, Frame.headerCopy + offset)
    }
    let judged = assembler.makeLabel()
    assembler.load(.byte, .r1, from: .r10, Frame.header + FrameHeader.Offset.kind)
    for (operation, label) in [
      (.deliver, deliver), (.released, released), (.accept, judged), (.reinject, wayBack),
    ] as [(FrameHeader.Operation, Label)] {
      assembler.jump(if: .r1, .equal, UInt32(FrameHeader.kind(operation)), to: label)
    }
    assembler.jump(to: refuse)
    assembler.place(judged)
    assembler.calculate(.and, .r7, SocketRights.deliver.rawValue)
    assembler.jump(if: .r7, .equal, 0, to: refuse)

    assembler.place(wayBack)
    assembler.load(.word, .r8, from: .r10, Frame.header + FrameHeader.Offset.interface)
    assembler.swapBigEndian(.r8, bits: 32)
    assembler.load(.byte, .r9, from: .r10, Frame.header + FrameHeader.Offset.flags)
    findFormerPath(maps)
    markPacket()

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

    assembler.place(released)
    assembler.calculate(.and, .r7, SocketRights.deliver.rawValue)
    assembler.jump(if: .r7, .equal, 0, to: refuse)
    assembler.answer(Answer.next)

    assembler.place(stranger)
    assembler.count(.stranger, maps, key: Frame.key)
    assembler.answer(Answer.drop)
    assembler.place(out)
  }

  /// The mark that the packet carries on: it goes on behind the rule that its frame says.
  private mutating func markPacket() {
    let (judged, marked) = (UInt32(FrameHeader.kind(.accept)), assembler.makeLabel())
    let rules = assembler.makeLabel()
    assembler.move(.r3, 0)
    assembler.load(.byte, .r1, from: .r10, Frame.header + FrameHeader.Offset.kind)
    assembler.jump(if: .r1, .notEqual, judged, to: rules)
    assembler.move32(.r3, Mark.judged)
    assembler.place(rules)
    assembler.load(.byte, .r2, from: .r10, Frame.header + FrameHeader.Offset.passes)
    assembler.calculate(.shiftLeft, .r2, Mark.passesShift)
    assembler.calculate(.or, .r3, .r2)
    assembler.load(.halfword, .r2, from: .r10, Frame.header + FrameHeader.Offset.tag)
    assembler.swapBigEndian(.r2, bits: 16)
    assembler.calculate(.or, .r3, .r2)
    assembler.store(.word, .r3, to: .r6, Context.word(2))
    assembler.storeSecret(secret)
    assembler.load(.word, .r1, from: .r10, Frame.slot)
    assembler.store(.word, .r1, to: .r6, Context.word(4))
    // Only a receive interface is part of the mark: which one a packet leaves by is decided by its way.
    let leaving = UInt32(FrameHeader.Flags([.outgoing, .transmitInterface]).rawValue)
    assembler.move(.r1, 0)
    assembler.move32(.r2, .r9)
    assembler.calculate(.and, .r2, leaving)
    assembler.jump(if: .r2, .equal, leaving, to: marked)
    assembler.move32(.r1, .r8)
    assembler.place(marked)
    assembler.store(.word, .r1, to: .r6, Context.word(3))
  }

  /// Refuses the frame, which its sender sees as `ENOBUFS`, and writes down why.
  mutating func drop(_ reason: SocketCount, _ maps: borrowing HookMaps) {
    assembler.count(reason, ofSlot: Frame.slot, maps)
    assembler.answer(Answer.drop)
  }

  /// r0 = the ``HookInterface`` numbered in r8; without one the frame is refused.
  mutating func loadInterface(_ maps: borrowing HookMaps) {
    let found = assembler.makeLabel()
    assembler.store(.word, .r8, to: .r10, Frame.key)
    assembler.lookUp(maps.interfaces, key: Frame.key)
    assembler.jump64(if: .r0, .notEqual, 0, to: found)
    drop(.noInterface, maps)
    assembler.place(found)
  }

  mutating func enterLoopback() {
    assembler.move32(.r1, Self.loopback)
    assembler.move(.r2, 0)
    assembler.move(.r3, 0)
    assembler.move(.r4, 0)
    assembler.call(.redirectNeighbour)
    assembler.exit()
  }
}
