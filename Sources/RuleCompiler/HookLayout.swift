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
  static let vlanTag = 24
  static let vlanProtocol = 28
  static let priority = 32
  static let ingressInterface = 36
  static let interface = 40
  static let segments = 164
  static let socket = 168
  /// Bytes of payload in each segment of a super-packet.
  static let segmentSize = 176

  /// The five words that belong to whoever handles the packet.
  static func word(_ index: Int) -> Int { 48 + 4 * index }
}

/// The mark that the link's hook leaves in the context's words, for the rule hook that sees the packet next.
///
/// Words 0 and 1 are the secret; word 2 is tag, passes and flags; word 3 the receive interface, 0 for what this host
/// made; word 4 the slot of the socket that wrote the packet. These words
/// survive redirection to ingress and egress, an unresolved neighbour and the loopback device, and nobody
/// clears them on fresh packets: without the secret, they mean nothing.
enum Mark {
  static let passesShift: UInt32 = 16
  /// On loopback, incoming packets enter through its egress, too: the egress hook lets them pass untouched.
  static let loopbackIncoming: UInt32 = 1 << 24
  /// Judged in user space: no rule looks at it any more.
  static let judged: UInt32 = 1 << 25
}

/// `struct bpf_sock` (linux/bpf.h), what a packet's socket is to a program.
enum ContextSocket {
  static let boundInterface = 0
  static let family = 4
  /// AF_PACKET.
  static let packetFamily: UInt32 = 17
}

/// `skb->pkt_type` (linux/if_packet.h).
enum PacketType {
  static let multicast: UInt32 = 2
}

/// What the rule hook keeps of the packet that it judges, as offsets in the memory that each CPU has for it
/// (``HookMaps/packets``).
///
/// That memory is not the stack on purpose. Of the stack the verifier knows what each way through the parser has stored
/// there, and follows all rules anew for each of them; what is read from a map may be anything, so that rules are
/// followed once. No program begins on a CPU where another has not ended: both passes run with softirqs off.
enum Variable {
  /// The IP header, up to 40 bytes as they are.
  static let header = 0
  /// 40 bytes: the IPv4 header's options, zero behind their end.
  static let options = 40
  /// 16 bytes: what is wanted of the transport header.
  static let transport = 80
  /// 12 bytes.
  static let frameHeader = 96
  /// 14 bytes.
  static let linkHeader = 112
  static let time = 128
  /// 4 or 6.
  static let version = 136
  static let transportKind = 140
  static let sourcePort = 144
  static let destinationPort = 148
  static let icmpType = 152
  static let tcpFlags = 156
  /// 0 for what is no later fragment; else the offset, in units that depend on the version.
  static let fragmentOffset = 160
  /// 0 for what is no fragment.
  static let isFragment = 164
  static let receiveInterface = 168
  static let transmitInterface = 172
  /// IP bytes and packets on the wire, which for a super-packet is more than its header says.
  static let bytes = 176
  static let packets = 180
  static let slot = 184
  static let port = 188
  static let tag = 192
  static let passes = 196
  /// Where the transport header starts, from the start of the frame, and how many bytes follow.
  static let transportStart = 200
  static let transportLength = 204
  static let key = 208
  static let restart = 212
  /// 1 for a packet that carried a mark: a client's or divertd's socket has written it.
  static let reinjected = 216
  /// 1 while `diverted` holds: for a packet that a program has written, until a `tee`.
  static let isDiverted = 220
  /// Of the socket that has written the packet.
  static let writerSlot = 224
  /// What the packet had before a copy of it told its owner there.
  static let priority = 228
  /// Of IPv4 packets, in host order; 0 of others.
  static let source4 = 232
  static let destination4 = 236
  static let protocolNumber = 240
  /// 1 where the address is one of this host's and the rules ask.
  static let sourceIsLocal = 244
  static let destinationIsLocal = 248

  static let size = evaluatorSize
}

/// ``Variable/transportKind``.
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
  /// Adds one to an event's count, or the number that lies at an offset among the variables; changes r0...r5.
  mutating func count(_ event: HookEvent, of number: Int? = nil, _ maps: borrowing HookMaps, key: Int) {
    store(.word, value: event.rawValue, to: variables, key)
    lookUp(maps.events, key: key)
    let missing = makeLabel()
    jump64(if: .r0, .equal, 0, to: missing)
    if let number { load(.word, .r1, from: variables, number) } else { move(.r1, 1) }
    atomicAdd64(.r1, to: .r0, 0)
    place(missing)
  }

  /// Adds one to a count of the socket whose slot lies among the variables; changes r0...r5.
  mutating func count(_ count: SocketCount, ofSlot slot: Int, _ maps: borrowing HookMaps) {
    lookUp(maps.socketCounts, key: slot)
    let missing = makeLabel()
    jump64(if: .r0, .equal, 0, to: missing)
    move(.r1, 1)
    atomicAdd64(.r1, to: .r0, count.rawValue * 8)
    place(missing)
  }

  /// r0 = the address of the entry whose key lies among the variables, or 0; changes r1...r5.
  mutating func lookUp(_ map: borrowing Map, key: Int) { lookUp(map, key: key, of: variables) }

  /// The same with a key that lies elsewhere.
  mutating func lookUp(_ map: borrowing Map, key: Int, of base: Register) {
    loadMap(.r1, map.descriptor.number)
    move(.r2, base)
    calculate64(.add, .r2, Int32(key))
    call(.mapLookup)
  }

  /// Copies packet bytes to the variables; r0 is 0 when they were there; changes r1...r5.
  mutating func loadBytes(at offset: Int, count: Int, to variable: Int) {
    move(.r1, .r6)
    move(.r2, Int32(offset))
    move(.r3, variables)
    calculate64(.add, .r3, Int32(variable))
    move(.r4, Int32(count))
    call(.loadBytes)
  }

  /// Copies bytes from the variables into the packet; changes r0...r5.
  mutating func storeBytes(from variable: Int, count: Int, at offset: Int) {
    move(.r1, .r6)
    move(.r2, Int32(offset))
    move(.r3, variables)
    calculate64(.add, .r3, Int32(variable))
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
