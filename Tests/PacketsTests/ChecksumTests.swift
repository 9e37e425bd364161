import Packets
import TestSupport
import Testing

struct ChecksumTests {
  /// As RFC 1071 §4.1 has it: pair by pair.
  static func slowSum(_ bytes: [UInt8]) -> UInt16 {
    var sum = 0
    for (index, byte) in bytes.enumerated() {
      sum += index % 2 == 0 ? Int(byte) << 8 : Int(byte)
      if sum > 0xffff { sum -= 0xffff }
    }
    return UInt16(sum)
  }

  @Test func `the example of RFC 1071`() {
    let example = hex("00 01 f2 03 f4 f5 f6 f7")
    #expect(Checksum.sum(example.rawSpan) == 0xddf2)
    #expect(Checksum.of(example.rawSpan) == 0x220d)
    let nothing: [UInt8] = []
    #expect(Checksum.sum(nothing.rawSpan) == 0)
    let odd: [UInt8] = [0x12]
    #expect(Checksum.sum(odd.rawSpan) == 0x1200)
  }

  @Test func `the fast sum is the slow sum, at every length and alignment`() {
    var random = SeededGenerator()
    let data = random.bytes(1600)
    for length in Array(0...130) + [1499, 1500, 1501] {
      for start in 0..<9 {
        let bytes = Array(data[start..<(start + length)])
        #expect(
          Checksum.sum(data.rawSpan.extracting(start..<(start + length))) == Self.slowSum(bytes),
          "seed \(testSeed), length \(length), start \(start)")
      }
    }
    let ones = [UInt8](repeating: 0xff, count: 65535)
    for length in [2, 15, 16, 17, 64, 65535] {
      #expect(Checksum.sum(ones.rawSpan.extracting(first: length)) == Self.slowSum(Array(ones[..<length])))
    }
  }

  /// Random packets, each with right checksums; `kind` is a protocol number.
  static func packet(_ kind: UInt8, version: UInt8, _ random: inout SeededGenerator) throws -> [UInt8] {
    let data = random.bytes(Int.random(in: 0...100, using: &random))
    var transport = [UInt8](repeating: 0xa5, count: (kind == 6 ? 20 : 8) + data.count)
    var span = transport.mutableRawSpan
    switch kind {
    case 6:
      var header = TCPHeader(sourcePort: .random(in: 0...65535, using: &random), destinationPort: 80)
      header.sequenceNumber = .random(in: 0...(.max), using: &random)
      try header.write(to: &span)
    case 17:
      try UDPHeader(sourcePort: .random(in: 0...65535, using: &random), destinationPort: 53)
        .write(to: &span, payloadLength: data.count)
    case 136:
      try UDPHeader(sourcePort: 1, destinationPort: 2).write(to: &span, payloadLength: data.count)
      // how much the checksum covers: 0 is all
      let coverage = UInt16.random(in: 7...UInt16(8 + data.count), using: &random)
      span.store(coverage == 7 ? 0 : coverage, at: 4)
    default:
      try ICMPHeader(type: 8, identifier: .random(in: 0...65535, using: &random)).write(to: &span)
    }
    transport.replaceSubrange((transport.count - data.count)..., with: data)

    let length = version == 4 ? 20 : 40
    var packet = [UInt8](repeating: 0xa5, count: length + transport.count)
    var all = packet.mutableRawSpan
    if version == 4 {
      try IPv4Header(
        source: IPv4Address(rawValue: .random(in: 0...(.max), using: &random)),
        destination: IPv4Address(rawValue: .random(in: 0...(.max), using: &random)), protocolNumber: kind
      ).write(to: &all, payloadLength: transport.count)
    } else {
      try IPv6Header(
        source: IPv6Address(high: random.next(), low: random.next()),
        destination: IPv6Address(high: random.next(), low: random.next()), nextHeader: kind
      ).write(to: &all, payloadLength: transport.count)
    }
    all.store(transport, at: length)
    Checksum.updateTransport(of: &all)
    return packet
  }

  /// The transport checksum, by the slow sum over a pseudo header that is written out.
  static func slowTransport(_ packet: [UInt8]) -> UInt16 {
    let version = packet[0] >> 4
    let start = version == 4 ? 20 : 40
    let kind = version == 4 ? packet[9] : packet[6]
    var data = Array(packet[start...])
    let field = kind == 6 ? 16 : kind == 17 || kind == 136 ? 6 : 2
    data[field] = 0
    data[field + 1] = 0
    let addresses = version == 4 ? packet[12..<20] : packet[8..<40]
    let pseudo =
      kind == 1 ? [] : addresses + [0, 0, UInt8(data.count >> 8), UInt8(data.count & 0xff), 0, 0, 0, kind]
    if kind == 136, data[5] != 0 { data = Array(data[..<Int(data[5])]) }
    let sum = ~slowSum(pseudo + data)
    return sum == 0 && (kind == 17 || kind == 136) ? 0xffff : sum
  }

  @Test(
    arguments: [(6, 4), (17, 4), (136, 4), (1, 4), (6, 6), (17, 6), (136, 6), (58, 6)] as [(UInt8, UInt8)])
  func `the transport checksum is that of the pseudo header written out`(kind: UInt8, version: UInt8) throws {
    for round in 0..<200 {
      var random = SeededGenerator(stream: UInt64(round))
      var packet = try Self.packet(kind, version: version, &random)
      let note = "seed \(testSeed), round \(round)"
      #expect(Checksum.transport(of: packet.rawSpan) == Self.slowTransport(packet), "\(note)")
      #expect(Checksum.isTransportValid(in: packet.rawSpan) == true, "\(note)")
      packet[version == 4 ? 20 : 40] ^= 0x10
      #expect(Checksum.isTransportValid(in: packet.rawSpan) == false, "\(note)")
    }
  }

  @Test func `setters leave the checksums that a full computation gives`() throws {
    for round in 0..<1000 {
      var random = SeededGenerator(stream: UInt64(round))
      for kind in [6, 17, 1] as [UInt8] {
        var packet = try Self.packet(kind, version: 4, &random)
        try Self.change(&packet, kind, &random)
        let note = "seed \(testSeed), round \(round), protocol \(kind)"
        #expect(try Self.isHeaderValid(packet), "\(note)")
        #expect(Checksum.isTransportValid(in: packet.rawSpan) == true, "\(note)")
      }
    }
  }

  private static func change(_ packet: inout [UInt8], _ kind: UInt8, _ random: inout SeededGenerator) throws {
    var span = packet.mutableRawSpan
    var ip = try MutableIPv4(&span)
    ip.setTimeToLive(.random(in: 0...255, using: &random))
    ip.setIdentification(.random(in: 0...65535, using: &random))
    ip.setTypeOfService(.random(in: 0...255, using: &random))
    var payload = ip.payload
    switch kind {
    case 6:
      var tcp = try MutableTCP(&payload)
      tcp.setSourcePort(.random(in: 0...65535, using: &random))
      tcp.setDestinationPort(.random(in: 0...65535, using: &random))
      tcp.setSequenceNumber(.random(in: 0...(.max), using: &random))
      tcp.setAcknowledgementNumber(.random(in: 0...(.max), using: &random))
      tcp.setFlags(TCPFlags(rawValue: .random(in: 0...255, using: &random)))
      tcp.setWindow(.random(in: 0...65535, using: &random))
    case 17:
      var udp = try MutableUDP(&payload)
      udp.setSourcePort(.random(in: 0...65535, using: &random))
      udp.setDestinationPort(.random(in: 0...65535, using: &random))
    default:
      var icmp = try MutableICMP(&payload)
      icmp.setType(.random(in: 0...255, using: &random))
      icmp.setCode(.random(in: 0...255, using: &random))
      icmp.setIdentifier(.random(in: 0...65535, using: &random))
      icmp.setSequenceNumber(.random(in: 0...65535, using: &random))
    }
  }

  @Test func `after a change of the payload all is computed anew`() throws {
    var random = SeededGenerator()
    var packet = try Self.packet(17, version: 4, &random) + []
    var span = packet.mutableRawSpan
    var ip = try MutableIPv4(&span)
    ip.setDestination(IPv4Address(rawValue: 0x7f00_0001))
    do {
      var payload = ip.payload
      var udp = try MutableUDP(&payload)
      var data = udp.payload
      for index in 0..<data.byteCount { data.store(UInt8(index & 0xff), at: index) }
    }
    ip.updateChecksums()
    #expect(try Self.isHeaderValid(packet))
    #expect(Checksum.isTransportValid(in: packet.rawSpan) == true)

    var packet6 = try Self.packet(6, version: 6, &random)
    var span6 = packet6.mutableRawSpan
    var ip6 = try MutableIPv6(&span6)
    ip6.setSource(IPv6Address(high: 1, low: 2))
    ip6.updateChecksums()
    #expect(Checksum.isTransportValid(in: packet6.rawSpan) == true)
  }

  /// Change a byte of a good UDP packet, and there is no checksum to speak of.
  @Test(arguments: [
    (4, 6, 0x20, "more fragments"), (4, 7, 0x01, "a later fragment"), (4, 9, 47, "GRE"),
    (4, 25, 7, "UDP length below the header"), (4, 24, 0xff, "UDP length beyond the packet"),
    (4, 0, 0x35, "version 3"), (6, 6, 44, "cut extension header"), (6, 6, 89, "OSPF"),
  ])
  func `where no checksum can be computed none is`(version: UInt8, offset: Int, value: UInt8, why: String)
    throws
  {
    var random = SeededGenerator(stream: 3)
    var packet = try Self.packet(17, version: version, &random)
    packet[offset] = value
    if value == 44 { packet = Array(packet[..<44]); packet[5] = 4; packet[4] = 0 }
    let before = packet
    #expect(Checksum.transport(of: packet.rawSpan) == nil)
    #expect(Checksum.isTransportValid(in: packet.rawSpan) == nil)
    var span = packet.mutableRawSpan
    let isUpdated = Checksum.updateTransport(of: &span)
    #expect(!isUpdated)
    #expect(packet == before)
  }

  @Test func `UDP without a checksum is right over IPv4 only`() throws {
    var random = SeededGenerator()
    var four = try Self.packet(17, version: 4, &random)
    four.replaceSubrange(26..<28, with: [0, 0])
    #expect(Checksum.isTransportValid(in: four.rawSpan) == true)
    var six = try Self.packet(17, version: 6, &random)
    six.replaceSubrange(46..<48, with: [0, 0])
    #expect(Checksum.isTransportValid(in: six.rawSpan) == false)
  }

  /// A view cannot be looked into by `#expect`.
  static func isHeaderValid(_ packet: [UInt8]) throws -> Bool {
    try IPv4(packet.rawSpan).isHeaderChecksumValid
  }
}
