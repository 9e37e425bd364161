import BPF
import DivertWire
import Kernel

/// Offsets in `struct __sk_buff` (linux/bpf.h), the context of a hook program.
enum Context {
  static let length = 0
  static let packetType = 4
  static let mark = 8
  static let networkProtocol = 16
  static let vlanPresent = 20
  static let priority = 32
  static let ingressInterface = 36
  static let interface = 40
  static let segments = 164
  static let socket = 168

  /// The five words that belong to whoever handles the packet.
  static func word(_ index: Int) -> Int { 48 + 4 * index }
}

/// The mark that the link's hook leaves in the context's words, for the rule hook that sees the packet next.
///
/// Words 0 and 1 are the secret; word 2 is tag, passes and flags; word 3 the receive interface; word 4 the slot of the
/// socket that wrote the packet. These words
/// survive redirection to ingress and egress, an unresolved neighbour and the loopback device, and nobody
/// clears them on fresh packets: without the secret, they mean nothing.
enum Mark {
  static let passesShift: UInt32 = 16
  /// On loopback, incoming packets enter through its egress, too: the egress hook lets them pass untouched.
  static let loopbackIncoming: UInt32 = 1 << 24
  /// Judged in user space: no rule looks at it any more.
  static let judged: UInt32 = 1 << 25
}

/// `skb->pkt_type` (linux/if_packet.h).
enum PacketType {
  static let multicast: UInt32 = 2
}

/// Offsets from the frame pointer of the rule hook's variables.
enum Frame {
  /// The IP header, up to 40 bytes as they are.
  static let header = -40
  /// 16 bytes: what is wanted of the transport header.
  static let transport = -184
  /// 4 or 6.
  static let version = -52
  static let transportKind = -56
  static let sourcePort = -60
  static let destinationPort = -64
  static let icmpType = -68
  static let receiveInterface = -72
  static let transmitInterface = -76
  /// IP bytes and packets on the wire, which for a super-packet is more than its header says.
  static let bytes = -80
  static let packets = -84
  static let slot = -88
  static let port = -92
  static let tag = -96
  static let passes = -100
  /// Where the transport header starts, from the start of the frame, and how many bytes follow.
  static let transportStart = -104
  static let transportLength = -108
  static let key = -112
  static let restart = -116
  static let linkHeader = -136
  static let frameHeader = -152
  static let time = -160
  /// 1 for a packet that carried a mark: a client's or divertd's socket has written it.
  static let reinjected = -164
  /// 1 while `diverted` holds: for a packet that a program has written, until a `tee`.
  static let isDiverted = -216
  /// 0 for what is no fragment.
  static let isFragment = -212
  /// 40 bytes: the IPv4 header's options, zero behind their end.
  static let options = -208
  /// Of the socket that has written the packet.
  static let writerSlot = -168
  /// What the packet had before a copy of it told its owner there.
  static let priority = -220
  static let tcpFlags = -44
  /// 0 for what is no later fragment; else the offset, in units that depend on the version.
  static let fragmentOffset = -48
}

/// ``Frame/transportKind``.
enum TransportKind {
  static let none: UInt32 = 0
  static let ports: UInt32 = 1
  static let icmp: UInt32 = 2
}

/// What a TCX program answers: NEXT, not PASS, lets a packet go on without touching `tc_index` or ending the
/// chain of programs.
enum Answer {
  static let next: Int32 = -1
  static let drop: Int32 = 2
}

extension Assembler {
  /// Adds one to an event's count; changes r0...r5.
  mutating func count(_ event: HookEvent, _ maps: borrowing HookMaps, key: Int) {
    store(.word, value: event.rawValue, to: .r10, key)
    lookUp(maps.events, key: key)
    let missing = makeLabel()
    jump64(if: .r0, .equal, 0, to: missing)
    move(.r1, 1)
    atomicAdd64(.r1, to: .r0, 0)
    place(missing)
  }

  /// Adds one to a count of the socket whose slot lies on the stack; changes r0...r5.
  mutating func count(_ count: SocketCount, ofSlot slot: Int, _ maps: borrowing HookMaps) {
    lookUp(maps.socketCounts, key: slot)
    let missing = makeLabel()
    jump64(if: .r0, .equal, 0, to: missing)
    move(.r1, 1)
    atomicAdd64(.r1, to: .r0, count.rawValue * 8)
    place(missing)
  }

  /// A map's key in two stores. A constant stored in one is known to the verifier, which then (since Linux 6.14)
  /// verifies the shared ending anew for every rule that jumps there, and runs out of patience.
  mutating func storeKey(_ key: UInt32, at frameOffset: Int) {
    store(.halfword, value: key & 0xffff, to: .r10, frameOffset)
    store(.halfword, value: key >> 16, to: .r10, frameOffset + 2)
  }

  /// r0 = the address of the entry whose key lies at an offset of the frame pointer, or 0; changes r1...r5.
  mutating func lookUp(_ map: borrowing Map, key: Int) {
    loadMap(.r1, map.descriptor.number)
    move(.r2, .r10)
    calculate64(.add, .r2, Int32(key))
    call(.mapLookup)
  }

  /// Copies packet bytes to the stack; r0 is 0 when they were there; changes r1...r5.
  mutating func loadBytes(at offset: Int, count: Int, to frameOffset: Int) {
    move(.r1, .r6)
    move(.r2, Int32(offset))
    move(.r3, .r10)
    calculate64(.add, .r3, Int32(frameOffset))
    move(.r4, Int32(count))
    call(.loadBytes)
  }

  /// Copies bytes from the stack into the packet; changes r0...r5.
  mutating func storeBytes(from frameOffset: Int, count: Int, at offset: Int) {
    move(.r1, .r6)
    move(.r2, Int32(offset))
    move(.r3, .r10)
    calculate64(.add, .r3, Int32(frameOffset))
    move(.r4, Int32(count))
    move(.r5, 0)
    call(.storeBytes)
  }

  /// Whether words 0 and 1 of the context hold the secret; if not, jumps. Changes r1.
  mutating func requireSecret(_ secret: UInt64, otherwise label: Label) {
    load(.word, .r1, from: .r6, Context.word(0))
    jump(if: .r1, .notEqual, UInt32(truncatingIfNeeded: secret), to: label)
    load(.word, .r1, from: .r6, Context.word(1))
    jump(if: .r1, .notEqual, UInt32(truncatingIfNeeded: secret >> 32), to: label)
  }

  /// Changes r1.
  mutating func storeSecret(_ secret: UInt64) {
    move32(.r1, UInt32(truncatingIfNeeded: secret))
    store(.word, .r1, to: .r6, Context.word(0))
    move32(.r1, UInt32(truncatingIfNeeded: secret >> 32))
    store(.word, .r1, to: .r6, Context.word(1))
  }

  /// Changes r1.
  mutating func clearMark() {
    move(.r1, 0)
    for index in 0..<5 { store(.word, .r1, to: .r6, Context.word(index)) }
  }

  /// Takes the packet without the sender noticing. STOLEN would mean NEXT to TCX; a redirection to no
  /// interface frees the packet and reports success.
  mutating func steal() {
    move(.r1, 0)
    move(.r2, 0)
    call(.redirect)
    exit()
  }

  mutating func answer(_ answer: Int32) {
    move(.r0, answer)
    exit()
  }
}
