/// Of the values of a dimension that is a table, which a test admits.
struct ValueSet: Hashable, Sendable, BitwiseCopyable {
  private var words: SIMD16<UInt64> = .zero

  static let none = ValueSet()

  static func all(_ count: Int) -> ValueSet {
    var set = ValueSet()
    for word in 0..<count >> 6 { set.words[word] = .max }
    if count & 63 != 0 { set.words[count >> 6] = 1 << UInt64(count & 63) - 1 }
    return set
  }

  init() {}

  init(_ count: Int, where isMember: (Int) -> Bool) {
    for value in 0..<count where isMember(value) { insert(value) }
  }

  mutating func insert(_ value: Int) { words[value >> 6] |= 1 << UInt64(value & 63) }

  func contains(_ value: Int) -> Bool { words[value >> 6] & 1 << UInt64(value & 63) != 0 }

  func union(_ other: ValueSet) -> ValueSet {
    var result = self
    result.words |= other.words
    return result
  }

  func intersection(_ other: ValueSet) -> ValueSet {
    var result = self
    result.words &= other.words
    return result
  }

  func complement(of count: Int) -> ValueSet {
    var result = ValueSet.all(count)
    result.words &= ~words
    return result
  }
}

/// How the values of these dimensions are made from a packet.
package enum DimensionValue {
  static func protocolNumber(_ number: UInt8, version6: Bool) -> Int { Int(number) | (version6 ? 256 : 0) }
  /// Packets without the header that a test asks for.
  package static let noTCPFlags = 256
  package static let noICMPType = 32
  package static let fragment6 = 256
  package static let laterFragment6 = 257
}

extension ValueSet {
  init(version: UInt8) { self.init(512) { ($0 >= 256) == (version == 6) } }

  init(protocolNumber: UInt8) {
    insert(DimensionValue.protocolNumber(protocolNumber, version6: false))
    insert(DimensionValue.protocolNumber(protocolNumber, version6: true))
  }

  init(icmpTypes: UInt32) { self.init(32) { icmpTypes & 1 << UInt32($0) != 0 } }

  init(tcpFlags match: FlagMatch) { self.init(256) { match.holds(for: UInt8($0)) } }

  static let established = ValueSet(256) { $0 & 0x16 != 0x02 }

  init(fragment match: FlagMatch) {
    self.init(256) { match.holds(for: UInt8($0)) }
    if match == .laterFragment { insert(DimensionValue.laterFragment6) }
  }

  init(direction: Direction) { self.init(4) { $0 & 1 == Int(direction.rawValue) } }

  init(diverted direction: Direction?) {
    self.init(4) { $0 & 2 != 0 && (direction.map { Int($0.rawValue) } ?? ($0 & 1)) == $0 & 1 }
  }

  /// `me` (and with `only6`, `me6`): bit 0 is set where the source is local, bit 1 where the destination is, bit 2 in IPv6.
  init(local bit: Int, only6: Bool) { self.init(8) { $0 & bit != 0 && (!only6 || $0 & 4 != 0) } }
}
