import Packets
import TestSupport

extension Fragmenting {
  static func fragments(of packet: [UInt8], mtu: Int, identification: UInt32 = 0) -> [[UInt8]]? {
    fragments(of: packet.rawSpan, mtu: mtu, identification: identification)
  }
}

/// A packet that can be cut at will, by simpler means than those under test.
struct CuttablePacket {
  let bytes: [UInt8]
  /// Of the headers that each fragment has.
  let headerLength: Int
  /// Where IPv6 names the header behind them.
  var nextHeaderField = 6

  var version: UInt8 { bytes[0] >> 4 }
  var data: ArraySlice<UInt8> { bytes[headerLength...] }

  /// The fragment of a part of the data; of other data, where some is given.
  func fragment(_ range: Range<Int>, more: Bool? = nil, data: [UInt8]? = nil, congestion: UInt8 = 0)
    -> [UInt8]
  {
    let data = data ?? Array(self.data.dropFirst(range.lowerBound).prefix(range.count))
    let more = more ?? (range.upperBound < self.data.count)
    var head = Array(bytes[..<headerLength])
    func put(_ value: Int, at offset: Int) {
      head[offset] = UInt8(value >> 8)
      head[offset + 1] = UInt8(value & 0xff)
    }
    if version == 4 {
      head[1] |= congestion
      put(headerLength + data.count, at: 2)
      put(Int(head[6] & 0x40) << 8 | (more ? 0x2000 : 0) | range.lowerBound / 8, at: 6)
      put(0, at: 10)
      put(Int(~ChecksumTests.slowSum(head)), at: 10)
      return head + data
    }
    let next = head[nextHeaderField]
    head[1] |= congestion << 4
    head[nextHeaderField] = 44
    put(headerLength - 40 + 8 + data.count, at: 4)
    let place = range.lowerBound | (more ? 1 : 0)
    return head + [next, 0, UInt8(place >> 8), UInt8(place & 0xff), 0, 0, 0, 7] + data
  }

  static func plain(
    version: UInt8, source: UInt32 = 1, identification: UInt16 = 7, protocolNumber: UInt8 = 17,
    data: [UInt8] = []
  ) throws -> CuttablePacket {
    var bytes = [UInt8](repeating: 0, count: version == 4 ? 20 : 40) + data
    var span = bytes.mutableRawSpan
    if version == 4 {
      var header = IPv4Header(
        source: IPv4Address(rawValue: source), destination: IPv4Address(rawValue: 2),
        protocolNumber: protocolNumber)
      header.identification = identification
      try header.write(to: &span, payloadLength: data.count)
    } else {
      try IPv6Header(
        source: IPv6Address(high: 0, low: UInt64(source)), destination: IPv6Address(high: 0, low: 2),
        nextHeader: protocolNumber
      ).write(to: &span, payloadLength: data.count)
    }
    return CuttablePacket(bytes: bytes, headerLength: version == 4 ? 20 : 40)
  }

  /// With options or extension headers, or without.
  static func random(version: UInt8, _ random: inout SeededGenerator) throws -> CuttablePacket {
    let size = Int.random(in: 0...9, using: &random) == 0 ? 60_000 : 2_000
    let data = random.bytes(.random(in: 1...size, using: &random))
    if version == 4 {
      var header = IPv4Header(
        source: IPv4Address(rawValue: .random(in: 0...(.max), using: &random)),
        destination: IPv4Address(rawValue: .random(in: 0...(.max), using: &random)),
        protocolNumber: .random(in: 0...255, using: &random))
      header.identification = .random(in: 0...(.max), using: &random)
      header.dontFragment = .random(using: &random)
      header.typeOfService = .random(in: 0...255, using: &random)
      header.options = options(&random)
      var bytes = [UInt8](repeating: 0, count: header.length) + data
      var span = bytes.mutableRawSpan
      try header.write(to: &span, payloadLength: data.count)
      return CuttablePacket(bytes: bytes, headerLength: header.length)
    }
    // Hop-by-Hop, and what leads to Routing, stay in front; Destination Options without Routing do not.
    let chains: [[UInt8]] = [[17], [60, 17], [0, 17], [0, 60, 17], [43, 17], [0, 60, 43, 60, 17]]
    let chain = chains.randomElement(using: &random) ?? chains[0]
    var headers: [UInt8] = []
    var (headerLength, field) = (40, 6)
    for (number, next) in zip(chain, chain.dropFirst()) {
      let start = 40 + headers.count
      let extra = Int.random(in: 0...2, using: &random)
      headers += [next, UInt8(extra), 1, 4, 0, 0, 0, 0] + [UInt8](repeating: 0, count: extra * 8)
      if number == 0 || number == 43 { (headerLength, field) = (40 + headers.count, start) }
    }
    var header = IPv6Header(
      source: IPv6Address(high: random.next(), low: random.next()),
      destination: IPv6Address(high: random.next(), low: random.next()), nextHeader: chain[0])
    header.trafficClass = .random(in: 0...255, using: &random)
    header.flowLabel = .random(in: 0...0xf_ffff, using: &random)
    var bytes = [UInt8](repeating: 0, count: 40) + headers + data
    var span = bytes.mutableRawSpan
    try header.write(to: &span, payloadLength: headers.count + data.count)
    return CuttablePacket(bytes: bytes, headerLength: headerLength, nextHeaderField: field)
  }

  /// Well formed ones, copied into later fragments or not, a multiple of 4 bytes.
  private static func options(_ random: inout SeededGenerator) -> [UInt8] {
    var options: [UInt8] = []
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      let kind = ([1, 7, 68, 130, 131, 148] as [UInt8]).randomElement(using: &random) ?? 1
      options += kind == 1 ? [1] : [kind, 6, 4, 0, 0, 0]
    }
    return options + [UInt8](repeating: 0, count: -options.count & 3)
  }
}
