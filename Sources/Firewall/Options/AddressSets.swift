import Packets

/// Hosts of a network by their last byte: `10.0.0.0/24{1,2,70-80}`.
extension RuleParser {
  /// `address[/24…31]{host,low-high}`: of 256 addresses where no length is given.
  ///
  /// - Parameter brace: Where the hosts begin.
  mutating func addressSet(_ word: String, _ brace: Int) throws(RuleError) -> AddressSet {
    let inList = RuleError("address set cannot be in a list", .badData)
    let bytes = word.utf8.span
    guard !(0..<brace).contains(where: { bytes[$0] == UInt8(ascii: ",") }) else { throw inList }
    let network = try network4(word, 0..<brace, defaultLength: 24)
    let length = (~network.mask).leadingZeroBitCount
    let isContiguous = network.mask == .prefixMask(length)
    guard isContiguous, (24...31).contains(length) else {
      throw RuleError("invalid set with mask \(isContiguous ? length : -1)", .badData)
    }
    let low = UInt8(truncatingIfNeeded: network.address.rawValue)
    let high = low + UInt8(truncatingIfNeeded: ~network.mask)
    guard let end = (brace + 1..<bytes.count).first(where: { bytes[$0] == UInt8(ascii: "}") }) else {
      throw RuleError("set not closed", .badData)
    }
    guard end == bytes.count - 1 else { throw inList }
    let hosts = try Self.hosts(word.text(brace + 1..<end), low...high)
    return AddressSet(base: network.address, prefixLength: length, hosts: hosts)
  }

  private static func hosts(_ list: Substring, _ range: ClosedRange<UInt8>) throws(RuleError) -> Set<UInt8> {
    var found: Set<UInt8> = []
    for item in list.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = item.split(separator: "-", omittingEmptySubsequences: false)
      guard ends.count <= 2 else { throw RuleError("double '-' in range", .badData) }
      guard ends.count == 1 || !ends[1].isEmpty else {
        throw RuleError("incomplete range \(item)", .badData)
      }
      var numbers: [UInt8] = []
      for text in ends {
        // a leading 0 is octal to ipfw
        guard !text.isEmpty, text.utf8.allSatisfy(isDigit), text == "0" || text.first != "0" else {
          throw RuleError("set not closed", .badData)
        }
        guard let number = UInt8(text), range.contains(number) else {
          throw RuleError("addr \(text) out of range [\(range.lowerBound)-\(range.upperBound)]", .badData)
        }
        numbers.append(number)
      }
      let (first, last) = (numbers[0], numbers[numbers.count - 1])
      guard first <= last else { throw RuleError("invalid range \(first)-\(last)", .badData) }
      found.formUnion(first...last)
    }
    return found
  }
}

extension RulePrinter {
  static func hosts(of set: AddressSet) -> String {
    "\(set.base)/\(set.prefixLength){\(set.ranges.map(hosts).joined(separator: ","))}"
  }

  /// From three neighbours on as a range.
  private static func hosts(_ range: ClosedRange<UInt8>) -> String {
    range.count > 2
      ? "\(range.lowerBound)-\(range.upperBound)" : range.map { "\($0)" }.joined(separator: ",")
  }
}
