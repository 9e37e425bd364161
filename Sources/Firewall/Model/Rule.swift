package import Packets

/// One rule, as a value: what the parser yields, the printer prints and the compiler translates.
///
/// Reference: ipfw(8), RULE FORMAT: `[N] ACTION BODY`. Rules typed with different words for the same
/// meaning are equal.
package struct Rule: Equatable, Sendable {
  /// 1...65534, or 65535 for the default rule; 0 asks for automatic numbering.
  package var number: UInt16
  package var action: Action
  /// 0...31; the rules of a disabled set are skipped.
  package var set: UInt8
  /// `prob`, in millionths, 1...999 999: so exactly it is listed. nil: always.
  package var probability: UInt32?
  /// `log`, and how many packets to log at most; 0: all. nil: none. Nothing is written yet.
  package var logAmount: UInt32?
  /// All must hold. The order is the order in which they were typed.
  package var clauses: [Clause]
  /// The comment behind `//`, without the slashes.
  package var comment: String?
  /// Whether the body began with `PROTO from … to …`, and so is listed with it (ipfw lists rules of
  /// options only as such).
  package var hasFromTo: Bool

  package init(
    number: UInt16 = 0, action: Action, clauses: [Clause] = [], comment: String? = nil,
    hasFromTo: Bool = true, probability: UInt32? = nil, logAmount: UInt32? = nil, set: UInt8 = 0
  ) {
    self.number = number
    self.action = action
    self.clauses = clauses
    self.comment = comment
    self.hasFromTo = hasFromTo
    self.probability = probability
    self.logAmount = logAmount
    self.set = set
  }
}

/// ipfw(8), RULE ACTIONS.
package enum Action: Hashable, Sendable, BitwiseCopyable {
  case allow, deny, count
  case divert(port: UInt16)
  case tee(port: UInt16)
  /// Goes on at the first rule with this number or a greater one, and never backwards: a number that is not
  /// greater than the rule's own means the one after it.
  case skipto(UInt16)
}

/// An or-block: at least one of its terms must hold.
package struct Clause: Equatable, Sendable {
  package var terms: [Term]

  package init(_ terms: [Term]) { self.terms = terms }
  package init(_ test: Test, negated: Bool = false) { terms = [Term(test: test, negated: negated)] }
}

package struct Term: Equatable, Sendable {
  package var test: Test
  package var negated: Bool

  package init(test: Test, negated: Bool = false) {
    self.test = test
    self.negated = negated
  }
}

package enum Direction: UInt8, Hashable, Sendable, BitwiseCopyable {
  case incoming, outgoing
}

/// One question to a packet and its pass. A test that cannot apply to a packet is false.
package enum Test: Equatable, Sendable {
  /// `ip4` or `ip6`.
  case version(UInt8)
  /// `tcp`, `udp`, a number: the upper-layer protocol (IPv4 Protocol field; IPv6 behind extension headers).
  case protocolNumber(UInt8)
  case source(AddressMatch)
  case destination(AddressMatch)
  /// TCP, UDP, UDP-Lite and SCTP, not on later fragments.
  case sourcePort([ClosedRange<UInt16>])
  case destinationPort([ClosedRange<UInt16>])
  case direction(Direction)
  /// `recv`: the receive interface, in both passes.
  case received(InterfaceMatch)
  /// `xmit`: the transmit interface, in the outgoing pass only.
  case transmitted(InterfaceMatch)
  /// `via`: the interface of the current pass.
  case via(InterfaceMatch)
  /// ICMP over IPv4, types 0...31 as bits.
  case icmpTypes(UInt32)
  /// `tcpflags`: the flags of a TCP header; `setup` is syn,!ack.
  case tcpFlags(FlagMatch)
  /// `established`: TCP, but for segments with SYN and neither ACK nor RST. (ipfw(8) says "RST or ACK", ip_fw2.c
  /// takes a bare FIN, too.)
  case established
  /// `frag`: bits of ``PacketFields/fragmentBits``. Over IPv6 only the bare `frag` (a later fragment) can hold.
  case fragment(FlagMatch)
  /// `diverted-loopback` (incoming), `diverted-output` (outgoing), `diverted` (nil, either): a program has written the
  /// packet for this pass, and it has met no `tee` since.
  case diverted(Direction?)
}

/// Bits that must be set, and bits that must be clear.
package struct FlagMatch: Equatable, Sendable, BitwiseCopyable {
  package var set: UInt8
  package var clear: UInt8

  package init(set: UInt8 = 0, clear: UInt8 = 0) { (self.set, self.clear) = (set, clear) }

  @inlinable package func holds(for bits: UInt8) -> Bool { bits & set == set && bits & clear == 0 }

  /// SYN and not ACK.
  package static let setup = FlagMatch(set: 0x02, clear: 0x10)
  /// The bare `frag`.
  package static let laterFragment = FlagMatch(set: 0x01)
}

package enum AddressMatch: Equatable, Sendable {
  /// Any local address of the packet's version.
  case me
  /// Any local IPv6 address. In a rule for `ip6`, `me` is the same and stands for both.
  case me6
  /// `address & mask == value`; `value` has no bits outside the mask, which need not be contiguous.
  case network4(IPv4Address, mask: UInt32)
  case network6(IPv6Address, mask: IPv6Address)
  /// Any of several, with commas between.
  case networks4([Network4])
  case networks6([Network6])
  case set4(AddressSet)
}

package struct Network4: Equatable, Sendable, BitwiseCopyable {
  package var address: IPv4Address
  package var mask: UInt32

  package init(_ address: IPv4Address, mask: UInt32) { (self.address, self.mask) = (address, mask) }
}

package struct Network6: Equatable, Sendable, BitwiseCopyable {
  package var address: IPv6Address
  package var mask: IPv6Address

  package init(_ address: IPv6Address, mask: IPv6Address) { (self.address, self.mask) = (address, mask) }
}

/// `10.0.0.0/24{1,2,70-80}`: hosts of a network of at most 256, by their last byte.
package struct AddressSet: Equatable, Sendable {
  package let base: IPv4Address
  /// 24...31
  package let prefixLength: Int
  /// Sorted, and as few as can be.
  package let ranges: [ClosedRange<UInt8>]

  package init(base: IPv4Address, prefixLength: Int, hosts: Set<UInt8>) {
    (self.base, self.prefixLength) = (base, prefixLength)
    var ranges: [ClosedRange<UInt8>] = []
    for host in hosts.sorted() {
      if let last = ranges.last, Int(last.upperBound) + 1 == Int(host) {
        ranges[ranges.count - 1] = last.lowerBound...host
      } else {
        ranges.append(host...host)
      }
    }
    self.ranges = ranges
  }

  /// As addresses in host order.
  package var addresses: [ClosedRange<UInt32>] {
    let start = base.rawValue & ~0xff
    return ranges.map { start | UInt32($0.lowerBound)...start | UInt32($0.upperBound) }
  }
}

package enum InterfaceMatch: Equatable, Sendable {
  /// An exact name.
  case name(String)
  /// A glob: the name has `*`, `?` or `[`.
  case pattern(String)
  /// The interface that has this address.
  case address(IPv4Address)
}

extension Rule {
  /// The least number at which a `skipto` goes on, 1...65535.
  package var skipTarget: UInt16 {
    guard case .skipto(let wanted) = action else { return number }
    return max(wanted, number == .max ? .max : number + 1)
  }

  /// ``probability`` as a share of 2³². nil: always.
  package var threshold: UInt32? {
    probability.map { UInt32((UInt64($0) << 32) / 1_000_000) }
  }
}

extension InterfaceMatch {
  package func matches(_ interface: HostView.Interface) -> Bool {
    switch self {
    case .name(let name): interface.name == name
    case .pattern(let pattern): Glob(pattern).matches(interface.name)
    case .address(let address): interface.addresses4.contains(address)
    }
  }
}
