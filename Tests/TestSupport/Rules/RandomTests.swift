package import Firewall
package import Packets

/// The values from which random tests draw their operands: few, so that rules and packets meet often.
package struct OperandPool: Sendable {
  package var addresses4: [UInt32]
  package var masks4: [UInt32]
  /// Of sets of hosts.
  package var setLengths: ClosedRange<Int>
  package var addresses6: [IPv6Address]
  package var masks6: [IPv6Address]
  package var ports: ClosedRange<UInt16>
  /// How many ports a range has more than one.
  package var longestRange: UInt16
  package var interfaces: [InterfaceMatch]
  package var protocols: [UInt8]

  package init(
    addresses4: [UInt32], masks4: [UInt32], setLengths: ClosedRange<Int>, addresses6: [IPv6Address],
    masks6: [IPv6Address], ports: ClosedRange<UInt16>, longestRange: UInt16, interfaces: [InterfaceMatch],
    protocols: [UInt8]
  ) {
    self.addresses4 = addresses4
    self.masks4 = masks4
    self.setLengths = setLengths
    self.addresses6 = addresses6
    self.masks6 = masks6
    self.ports = ports
    self.longestRange = longestRange
    self.interfaces = interfaces
    self.protocols = protocols
  }
}

/// Tests of every option in the table, each as often as another.
extension RandomNumberGenerator {
  package mutating func test(from pool: OperandPool) -> Test {
    test(RuleOption.allCases.randomElement(using: &self) ?? .incoming, from: pool)
  }

  package mutating func test(_ option: RuleOption, from pool: OperandPool) -> Test {
    switch option.row.operand {
    case .none(let test): test
    case .protocolNumber(let make): make(pool.protocols.randomElement(using: &self) ?? 6)
    case .addresses4(_, let make): make(addresses4(pool))
    case .addresses6(_, let make): make(addresses6(pool))
    case .ports(_, let make): make(ports(pool))
    case .interface(let make): make(pool.interfaces.randomElement(using: &self) ?? .name("em0"))
    // One bit in most cases, as ICMP has few types that packets have.
    case .bitSet(let make):
      make(1 << UInt32.random(in: 0...31, using: &self) | 1 << UInt32.random(in: 0...8, using: &self))
    case .flags(let names, _, let bare, let make): make(flags(names, bare))
    }
  }

  private mutating func addresses4(_ pool: OperandPool) -> AddressMatch {
    func network(_ self: inout Self) -> Network4 {
      let mask = pool.masks4.randomElement(using: &self) ?? .max
      let address = pool.addresses4.randomElement(using: &self) ?? 0
      return Network4(IPv4Address(rawValue: address & mask), mask: mask)
    }
    switch Int.random(in: 0..<6, using: &self) {
    case 0: return .me
    case 1: return .networks4((0..<Int.random(in: 2...31, using: &self)).map { _ in network(&self) })
    case 2:
      let length = Int.random(in: pool.setLengths, using: &self)
      let base = (pool.addresses4.randomElement(using: &self) ?? 0) & (.max << UInt32(32 - length))
      let hosts = (0..<UInt8.random(in: 1...9, using: &self)).map { _ in
        UInt8(truncatingIfNeeded: base) + .random(in: 0...UInt8((1 << (32 - length)) - 1), using: &self)
      }
      return .set4(AddressSet(base: IPv4Address(rawValue: base), prefixLength: length, hosts: Set(hosts)))
    default:
      let one = network(&self)
      return .network4(one.address, mask: one.mask)
    }
  }

  private mutating func addresses6(_ pool: OperandPool) -> AddressMatch {
    func network(_ self: inout Self) -> Network6 {
      let mask = pool.masks6.randomElement(using: &self) ?? IPv6Address(high: .max, low: .max)
      let address = pool.addresses6.randomElement(using: &self) ?? mask
      return Network6(IPv6Address(high: address.high & mask.high, low: address.low & mask.low), mask: mask)
    }
    switch Int.random(in: 0..<4, using: &self) {
    case 0: return .me6
    case 1: return .networks6((0..<Int.random(in: 2...7, using: &self)).map { _ in network(&self) })
    default:
      let one = network(&self)
      return .network6(one.address, mask: one.mask)
    }
  }

  private mutating func ports(_ pool: OperandPool) -> [ClosedRange<UInt16>] {
    (0..<Int.random(in: 1...4, using: &self)).map { _ in
      let low = UInt16.random(in: pool.ports, using: &self)
      let more = Bool.random(using: &self) ? 0 : UInt16.random(in: 0...pool.longestRange, using: &self)
      return low...UInt16(clamping: Int(low) + Int(more))
    }
  }

  /// Few of the bits, so that some packets have them, and one at least.
  private mutating func flags(_ names: Keywords<UInt8>, _ bare: FlagMatch?) -> FlagMatch {
    if let bare, Bool.random(using: &self) { return bare }
    let bits = names.entries.reduce(0) { $0 | $1.meaning }
    func random(_ self: inout Self) -> UInt8 { .random(in: .min ... .max, using: &self) }
    let match = FlagMatch(
      set: random(&self) & random(&self) & bits, clear: random(&self) & random(&self) & bits)
    return match == FlagMatch() ? FlagMatch(clear: names.entries[0].meaning) : match
  }
}
