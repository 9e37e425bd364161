import Firewall
import Packets
import TestSupport

/// Rules and packets drawn from few values, so that they meet often.
extension RandomNumberGenerator {
  mutating func ruleSet() -> RuleSet { ruleSet(count: .random(in: 0...12, using: &self)) }

  /// So many that the index has several words; most of them let packets go on, and one in a hundred has `prob`.
  mutating func ruleSet(ofMany count: Int) -> RuleSet { ruleSet(count: count) }

  private mutating func ruleSet(count: Int) -> RuleSet {
    let isLarge = count > 12
    var ruleSet = RuleSet(default: Bool.random(using: &self) ? .allow : .deny)
    for _ in 0..<count {
      let goesOn = isLarge && Int.random(in: 0..<8, using: &self) != 0
      let rule = Rule(
        number: UInt16.random(in: 1...20, using: &self) * 100, action: goesOn ? .count : action(),
        clauses: (0..<Int.random(in: 0...3, using: &self)).map { _ in clause() },
        probability: Int.random(in: 0..<(isLarge ? 1000 : 6), using: &self) == 0 ? 500_000 : nil,
        set: .random(in: 0...3, using: &self))
      ruleSet = (try? ruleSet.adding(rule).0) ?? ruleSet
    }
    if Int.random(in: 0..<3, using: &self) == 0 {
      ruleSet.setSets(enabled: 0, disabled: .random(in: 0...15, using: &self))
    }
    return ruleSet
  }

  mutating func tag(in ruleSet: RuleSet) -> UInt16 {
    let number = ruleSet.entries.randomElement(using: &self)?.rule.number ?? 1
    return max(1, number &+ UInt16.random(in: 0...2, using: &self) &- 1)
  }

  private mutating func action() -> Action {
    // Nobody listens on ports from 3000 on, so that a tee copies nothing and test runs stay without traffic.
    switch Int.random(in: 0..<10, using: &self) {
    case 0: .allow
    case 1: .deny
    case 2, 3: .count
    case 4: .tee(port: 3000)
    case 5, 6: .skipto(UInt16.random(in: 1...25, using: &self) * 100 - .random(in: 0...1, using: &self))
    default: .divert(port: UInt16.random(in: 2000...2003, using: &self))
    }
  }

  private mutating func clause() -> Clause {
    Clause(
      (0..<(Int.random(in: 0..<4, using: &self) == 0 ? 2 : 1)).map { _ in
        Term(test: test(), negated: Int.random(in: 0..<4, using: &self) == 0)
      })
  }

  private mutating func test() -> Test { test(from: Self.pool) }

  private static var pool: OperandPool {
    OperandPool(
      addresses4: [0x7f00_0001, 0x0a00_0000, 0x0a00_0001, 0x0a00_0002, 0x0a00_0003],
      masks4: [.max, .max, .max << 1, .max << 2, .max << 8, 0xff00_00ff, 0], setLengths: 30...31,
      addresses6: [IPv6Address(high: 0, low: 1)]
        + (0...3).map { IPv6Address(high: 0x2001_0db8_0000_0000, low: $0) },
      masks6: [128, 127, 126, 64, 32, 0].map { IPv6Address(prefixLength: $0) }
        + [IPv6Address(high: 0, low: .max)],
      ports: 50...60, longestRange: 5,
      interfaces: [.name("lo"), .name("em0"), .pattern("l*"), .pattern("em?"), .name("nosuch0")],
      protocols: [1, 6, 17, 47, 58, 132, 136])
  }

  private mutating func address4() -> UInt32 {
    Bool.random(using: &self) ? 0x7f00_0001 : 0x0a00_0000 | UInt32.random(in: 0...3, using: &self)
  }

  private mutating func address6() -> IPv6Address {
    Bool.random(using: &self)
      ? IPv6Address(high: 0, low: 1)
      : IPv6Address(high: 0x2001_0db8_0000_0000, low: UInt64.random(in: 0...3, using: &self))
  }

  private mutating func protocolNumber() -> UInt8 {
    [1, 6, 17, 47, 58, 132, 136].randomElement(using: &self) ?? 17
  }

  /// Mostly sound, now and then cut, padded or with one byte changed.
  mutating func packet() -> [UInt8] {
    var transport: [UInt8] = (0..<Int.random(in: 0...40, using: &self)).map { _ in 0 }
    for index in transport.indices where Int.random(in: 0..<3, using: &self) == 0 {
      transport[index] = UInt8.random(in: .min ... .max, using: &self)
    }
    if transport.count >= 4 {
      if Bool.random(using: &self) {
        (transport[0], transport[1]) = (0, UInt8.random(in: 50...60, using: &self))
        (transport[2], transport[3]) = (0, UInt8.random(in: 50...60, using: &self))
      } else {
        transport[0] = UInt8.random(in: 0...9, using: &self)
      }
    }
    var packet = Bool.random(using: &self) ? ipv4(transport) : ipv6(transport)
    switch Int.random(in: 0..<10, using: &self) {
    case 0:
      packet[Int.random(in: 0..<min(packet.count, 60), using: &self)] = UInt8.random(
        in: .min ... .max, using: &self)
    case 1: packet += [0, 0, 0]
    default: break
    }
    // Test frames are padded to 64 bytes: what a packet claims beyond its end would be found in the padding.
    while packet.count < 50 { packet.append(0) }
    return packet
  }

  private mutating func ipv4(_ transport: [UInt8]) -> [UInt8] {
    let options = Int.random(in: 0..<4, using: &self) == 0 ? Int.random(in: 1...10, using: &self) * 4 : 0
    let length = 20 + options + transport.count
    let fragment =
      Int.random(in: 0..<3, using: &self) == 0
      ? UInt16.random(in: 0...2, using: &self) | UInt16.random(in: 0...7, using: &self) << 13 : 0
    var packet: [UInt8] = [
      UInt8(0x45 + options / 4), 0, UInt8(length >> 8), UInt8(length & 255), 0, 1, UInt8(fragment >> 8),
      UInt8(fragment & 255), 64, protocolNumber(), 0, 0,
    ]
    for address in [address4(), address4()] {
      for shift: UInt32 in [24, 16, 8, 0] { packet.append(UInt8(truncatingIfNeeded: address >> shift)) }
    }
    return packet + [UInt8](repeating: 1, count: options) + transport
  }

  private mutating func ipv6(_ transport: [UInt8]) -> [UInt8] {
    var next = protocolNumber()
    var payload = transport
    for _ in 0..<Int.random(in: 0...3, using: &self) {
      let kind: UInt8 = [0, 43, 60, 44, 51].randomElement(using: &self) ?? 0
      var header: [UInt8] = [next, 0, 0, 0, 0, 0, 0, 0]
      switch kind {
      case 44:
        header[3] = Int.random(in: 0..<3, using: &self) == 0 ? UInt8.random(in: 0...3, using: &self) * 8 : 0
      case 51:
        header[1] = 1
        header += [0, 0, 0, 0]
      default:
        if Bool.random(using: &self) {
          header[1] = 1
          header += [UInt8](repeating: 0, count: 8)
        }
      }
      payload = header + payload
      next = kind
    }
    var packet: [UInt8] = [0x60, 0, 0, 0, UInt8(payload.count >> 8), UInt8(payload.count & 255), next, 64]
    for address in [address6(), address6()] {
      for half in [address.high, address.low] {
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
          packet.append(UInt8(truncatingIfNeeded: half >> shift))
        }
      }
    }
    return packet + payload
  }
}
