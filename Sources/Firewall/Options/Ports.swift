import Packets

/// Port numbers and names of services, and ranges of them.
extension RuleParser {
  /// nil: any.
  mutating func portOperand(_ side: String) throws(RuleError) -> [ClosedRange<UInt16>]? {
    let word = try need("missing \(side) port")
    if matches(word, "any") { return nil }
    guard let ranges = try portRanges(word) else {
      throw RuleError("invalid \(side) port \(word)", .badData)
    }
    return ranges
  }

  /// `80,443,1000-2000`, numbers or service names; nil for what is no such list.
  mutating func portRanges(_ word: String) throws(RuleError) -> [ClosedRange<UInt16>]? {
    let bytes = word.utf8.span
    var ranges: [ClosedRange<UInt16>] = []
    var position = 0
    while true {
      let item = position
      guard let low = port(word, bytes, &position) else { return nil }
      if position < bytes.count, bytes[position] == UInt8(ascii: "-") {
        position += 1
        guard let high = port(word, bytes, &position), low <= high else { return nil }
        guard position == bytes.count || bytes[position] == UInt8(ascii: ",") else { return nil }
        ranges.append(low...high)
      } else {
        ranges.append(low...low)
      }
      guard position < bytes.count else { break }
      guard bytes[position] == UInt8(ascii: ",") else {
        let rest = word.text(item..<bytes.count)
        let separator = word.text(position..<bytes.count).first.map(String.init) ?? ""
        warn("port list: invalid separator <\(separator)> in <\(rest)>")
        return nil
      }
      position += 1
    }
    // an instruction of ipfw has room for 62 (F_LEN_MASK)
    guard ranges.count <= 62 else { throw RuleError("too many ports/ranges", .badData) }
    return ranges
  }

  /// Takes a port off the front. In a name, `\` makes the next character a part of it (`ftp\-data`).
  private func port(_ word: String, _ bytes: Span<UInt8>, _ position: inout Int) -> UInt16? {
    guard position < bytes.count else { return nil }
    if isDigit(bytes[position]) { return UInt16(exactly: number(bytes, &position)) }
    var name: [UInt8] = []
    var end = position
    while end < bytes.count {
      if bytes[end] == UInt8(ascii: "\\"), end + 1 < bytes.count {
        end += 1
        // a whole character
        name.append(bytes[end])
        while end + 1 < bytes.count, bytes[end + 1] & 0xc0 == 0x80 {
          end += 1
          name.append(bytes[end])
        }
      } else if isAlphanumeric(bytes[end]) || bytes[end] == UInt8(ascii: "_")
        || bytes[end] == UInt8(ascii: ".")
      {
        name.append(bytes[end])
      } else {
        break
      }
      end += 1
    }
    guard !name.isEmpty else { return nil }
    let protocolName: String? =
      if case .number(let number) = proto { names.protocolName(number) } else { nil }
    guard let port = names.port(ofService: String(decoding: name, as: UTF8.self), protocolName) else {
      return nil
    }
    position = end
    return port
  }
}

extension RulePrinter {
  func ports(_ ranges: [ClosedRange<UInt16>], _ parts: Arrangement?) -> String {
    ranges.map { range in
      let (low, high) = (port(range.lowerBound, parts), port(range.upperBound, parts))
      return low == high ? low : "\(low)-\(high)"
    }.joined(separator: ",")
  }

  private func port(_ port: UInt16, _ parts: Arrangement?) -> String {
    guard showsServices else { return "\(port)" }
    var protocolName: String?
    if case .protocolNumber(let number) = parts?.proto?.terms.first?.test {
      protocolName = names.protocolName(number)
    }
    return names.service(onPort: port, protocolName) ?? "\(port)"
  }
}
