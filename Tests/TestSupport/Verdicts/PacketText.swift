import Packets

/// A packet from one line, for tables of tests: nothing but what the line says, byte by byte.
///
/// ```
/// tcp 192.0.2.1:1024 > 192.0.2.2:80 setup
/// udp [2001:db8::1]:1024 > [2001:db8::2]:53 behind hop-by-hop,fragment mf
/// 47 192.0.2.1 > 192.0.2.2 options 8 df
/// ```
///
/// Words behind the addresses:
/// - `setup`, `flags syn,ack`, `flags none`: of TCP; else ACK
/// - `type N`: of ICMP; else an echo request
/// - `df`, `mf`, `rf`, `offset BYTES`: of a fragment; over IPv6 there is a Fragment header then
/// - `options BYTES`: so many no-operation options in an IPv4 header
/// - `behind NAME,…`: IPv6 extension headers, in order
/// - `holds BYTES`: so much is there of the transport header and data, else its fixed part
/// - `cut BYTES`: so many are missing at the end, `padded BYTES`: so many are behind the packet
/// - `version N`, `ihl WORDS`, `says BYTES`: what those fields of the IP header say instead
///
/// Checksums are 0: rules do not ask for them.
package struct PacketText {
  package private(set) var bytes: [UInt8] = []
  /// What a rule counts: the length by the packet's own header.
  package private(set) var length = 0

  private var protocolNumber: UInt8
  private var flags: UInt8 = 0x10
  private var icmpType: UInt8
  private var fragmentBits: UInt16 = 0
  private var offset: UInt16 = 0
  private var headers: [String] = []
  private var optionBytes = 0
  private var held: Int?
  private var (cut, padding) = (0, 0)
  private var version: UInt8?
  private var headerWords: UInt8?
  private var saidLength: UInt16?

  private static let protocols: [Substring: UInt8] = [
    "icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "dccp": 33, "ipv6": 41, "gre": 47, "esp": 50, "icmp6": 58,
    "nonxt": 59, "sctp": 132, "udplite": 136,
  ]
  private static let extensionHeaders: [String: UInt8] = [
    "hop-by-hop": 0, "routing": 43, "fragment": 44, "ah": 51, "destination": 60, "mobility": 135,
  ]
  private static let flagBits: [Substring: UInt8] = [
    "fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "none": 0,
  ]

  package init(_ text: String) {
    var words = text.split(separator: " ")[...]
    guard words.count >= 4, words[2 + words.startIndex] == "<" || words[2 + words.startIndex] == ">" else {
      fatalError("no packet: \(text)")
    }
    let name = words.removeFirst()
    protocolNumber = Self.protocols[name] ?? UInt8(name) ?? { fatalError("no protocol: \(text)") }()
    icmpType = protocolNumber == 58 ? 128 : 8
    let source = Self.end(words.removeFirst())
    words.removeFirst()
    let destination = Self.end(words.removeFirst())
    while let word = words.popFirst() { take(word, &words) }
    let transport = transport(source.port, destination.port)
    switch (IPv4Address(source.host), IPv4Address(destination.host)) {
    case (let source?, let destination?): buildIPv4(source, destination, transport)
    default:
      guard let source = IPv6Address(source.host), let destination = IPv6Address(destination.host) else {
        fatalError("no addresses: \(text)")
      }
      buildIPv6(source, destination, transport)
    }
    if let version { bytes[0] = version << 4 | bytes[0] & 15 }
    bytes.removeLast(cut)
    bytes += [UInt8](repeating: 0xee, count: padding)
  }

  /// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
  private static func end(_ word: Substring) -> (host: Substring, port: UInt16) {
    if word.first == "[" {
      let parts = word.dropFirst().split(separator: "]")
      return (parts[0], parts.count > 1 ? decimal(parts[1].dropFirst()) : 0)
    }
    let parts = word.split(separator: ":", omittingEmptySubsequences: false)
    return parts.count == 2 ? (parts[0], decimal(parts[1])) : (word, 0)
  }

  private mutating func take(_ word: Substring, _ words: inout ArraySlice<Substring>) {
    func argument() -> Substring {
      words.popFirst() ?? { fatalError("nothing behind \(word)") }()
    }
    switch word {
    case "setup": flags = 0x02
    case "flags":
      flags = argument().split(separator: ",").reduce(0) { $0 | Self.value(of: $1, in: Self.flagBits) }
    case "type": icmpType = decimal(argument())
    case "rf": fragmentBits |= 0x8000
    case "df": fragmentBits |= 0x4000
    case "mf": fragmentBits |= 0x2000
    case "offset": offset = decimal(argument())
    case "options": optionBytes = decimal(argument())
    case "behind": headers = argument().split(separator: ",").map(String.init)
    case "holds": held = decimal(argument())
    case "cut": cut = decimal(argument())
    case "padded": padding = decimal(argument())
    case "version": version = decimal(argument())
    case "ihl": headerWords = decimal(argument())
    case "says": saidLength = decimal(argument())
    default: fatalError("\(word) says nothing of a packet")
    }
  }

  /// The fixed part, also in a later fragment, where it is data that looks like a header.
  private func transport(_ sourcePort: UInt16, _ destinationPort: UInt16) -> [UInt8] {
    var transport: [UInt8]
    switch protocolNumber {
    case 1, 58: transport = [icmpType, 0, 0, 0, 0, 7, 0, 1]
    default:
      transport = Self.network(sourcePort) + Self.network(destinationPort)
      switch protocolNumber {
      case 6: transport += [0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]
      case 132: transport += [0, 0, 0, 1, 0, 0, 0, 0]
      default: transport += [0, 8, 0, 0]
      }
    }
    guard let held else { return transport }
    return Array((transport + [UInt8](repeating: 0, count: held)).prefix(held))
  }

  private mutating func buildIPv4(_ source: IPv4Address, _ destination: IPv4Address, _ transport: [UInt8]) {
    let said = saidLength ?? UInt16(20 + optionBytes + transport.count)
    let words = headerWords ?? UInt8(5 + optionBytes / 4)
    bytes = [0x40 | words, 0] + Self.network(said) + [0, 7]
    bytes += Self.network(fragmentBits | offset / 8) + [64, protocolNumber, 0, 0]
    bytes += Self.network(source.rawValue) + Self.network(destination.rawValue)
    bytes += [UInt8](repeating: 1, count: optionBytes) + transport
    length = Int(said)
  }

  /// RFC 8200 §4.
  private mutating func buildIPv6(_ source: IPv6Address, _ destination: IPv6Address, _ transport: [UInt8]) {
    let isFragment = fragmentBits & 0x2000 != 0 || offset != 0
    if isFragment, !headers.contains("fragment") { headers.append("fragment") }
    var payload = transport
    var next = protocolNumber
    for name in headers.reversed() {
      var header: [UInt8]
      switch name {
      case "fragment":
        header = [next, 0] + Self.network(offset | fragmentBits >> 13 & 1) + [0, 0, 0, 7]
      case "ah": header = [next, 1, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1]
      default: header = [next, 0, 1, 4, 0, 0, 0, 0]
      }
      payload = header + payload
      next = Self.value(of: name, in: Self.extensionHeaders)
    }
    let said = saidLength ?? UInt16(payload.count)
    bytes = [0x60, 0, 0, 0] + Self.network(said) + [next, 64]
    for address in [source, destination] { bytes += Self.network(address.high) + Self.network(address.low) }
    bytes += payload
    length = 40 + Int(said)
  }

  private static func value<Word: Hashable>(of word: Word, in table: [Word: UInt8]) -> UInt8 {
    guard let value = table[word] else { fatalError("\(word) says nothing of a packet") }
    return value
  }

  private static func network<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    (0..<MemoryLayout<Number>.size).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }
}

/// A number in a table of tests, which has no others.
func decimal<Number: FixedWidthInteger>(_ text: some StringProtocol) -> Number {
  guard let number = Number(text) else { fatalError("no number: \(text)") }
  return number
}
