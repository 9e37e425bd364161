import Packets
import TestSupport
import Testing

struct FragmentingTests {
  @Test func `an IPv4 packet with options is cut`() throws {
    let packet = hex(
      """
      48 00 00 3c 12 34 40 00 40 11 00 00 c0 00 02 01 c6 33 64 07  // 60 bytes, don't fragment
      01                                   // No Operation
      07 04 04 00                          // Record Route, not copied
      94 04 00 00                          // Router Alert, copied
      00 00 00                             // End of Options
      00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13 14 15 16 17 18 19 1a 1b
      """)
    let expected = [
      hex(
        """
        48 00 00 30 12 34 60 00 40 11 00 00 c0 00 02 01 c6 33 64 07  // 48 bytes, more to follow
        01 07 04 04 00 94 04 00 00 00 00 00
        00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
        """),
      hex(
        """
        46 00 00 24 12 34 40 02 40 11 00 00 c0 00 02 01 c6 33 64 07  // offset 16
        94 04 00 00
        10 11 12 13 14 15 16 17 18 19 1a 1b
        """),
    ].map(Self.withChecksum)
    #expect(Fragmenting.fragments(of: packet, mtu: 48) == expected)
    #expect(Fragmenting.fragments(of: packet, mtu: 55) == expected)
    let fitting = packet + [0xff]  // behind the packet
    #expect(Fragmenting.fragments(of: fitting, mtu: 60) == [packet])
  }

  @Test func `an IPv6 packet is cut behind what is read on the way`() throws {
    let packet = hex(
      """
      6b 81 23 45 00 28 00 40                          // 40 bytes, Hop-by-Hop first
      20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01
      fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02
      3c 00 05 02 00 00 01 00                          // Hop-by-Hop: next Destination Options
      11 00 01 04 00 00 00 00                          // Destination Options: next UDP
      00 01 00 02 00 18 00 00 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
      """)
    /// A fragment with so much payload, of the Fragment header given and these bytes of the packet.
    func fragment(_ payload: String, _ header: String, _ data: Range<Int>) -> [UInt8] {
      var bytes = hex("6b 81 23 45 00 \(payload) 00 40")
      bytes += packet[8..<40]
      bytes += hex("2c 00 05 02 00 00 01 00")
      bytes += hex(header)
      bytes += packet[data]
      return bytes
    }
    let expected = [
      fragment("20", "3c 00 00 01 de ad be ef", 48..<64), fragment("20", "3c 00 00 10 de ad be ef", 64..<80),
    ]
    let cut = Fragmenting.fragments(of: packet, mtu: 79, identification: 0xdead_beef)
    #expect(cut == expected)
    #expect(Fragmenting.fragments(of: packet, mtu: 80, identification: 1) == [packet])
    // a fragment is cut further, with what it is
    let further = Fragmenting.fragments(of: expected[1], mtu: 64, identification: 1)
    #expect(
      further == [
        fragment("18", "3c 00 00 11 de ad be ef", 64..<72),
        fragment("18", "3c 00 00 18 de ad be ef", 72..<80),
      ])
  }

  /// (bytes of data, mtu less the header) → bytes of data in each fragment; nil where it cannot be.
  @Test(
    arguments: [
      (0, 0, [0]), (1, 0, nil), (8, 8, [8]), (9, 8, [8, 1]), (9, 7, nil), (7, 7, [7]), (16, 8, [8, 8]),
      (17, 15, [8, 9]), (24, 17, [16, 8]), (25, 24, [24, 1]), (40, 20, [16, 16, 8]), (36, 20, [16, 20]),
    ] as [(Int, Int, [Int]?)])
  func `as much as fits, in eights`(count: Int, room: Int, expected: [Int]?) throws {
    let data = [UInt8](repeating: 1, count: count)
    let four = try CuttablePacket.plain(version: 4, data: data).bytes
    let six = try CuttablePacket.plain(version: 6, data: data).bytes
    let fragments4 = Fragmenting.fragments(of: four, mtu: 20 + room)
    #expect(fragments4.map { $0.map { $0.count - 20 } } == expected)
    // over IPv6, whatever fits without the Fragment header is left alone
    guard count > room else { return }
    let fragments6 = Fragmenting.fragments(of: six, mtu: 48 + room)
    let whole = count <= room + 8 ? [count - 8] : nil
    #expect(fragments6.map { $0.map { $0.count - 48 } } == whole ?? expected)
  }

  @Test func `what cannot be cut`() throws {
    let data = [UInt8](repeating: 1, count: 100)
    let plain = try CuttablePacket.plain(version: 4, data: data).bytes
    // (first byte, options) that cannot be read: no length, too short, too long
    let options: [[UInt8]] = [[1, 1, 1, 7], [7, 1, 0, 0], [7, 0, 0, 0], [7, 5, 0, 0], [148, 200, 0, 0]]
    for option in options {
      var packet = plain
      packet[0] = 0x46
      packet.replaceSubrange(20..<24, with: option)
      #expect(Fragmenting.fragments(of: packet, mtu: 60) == nil, "\(option)")
      #expect(Fragmenting.fragments(of: packet, mtu: 120) == [packet], "\(option)")
    }
    var chain = try CuttablePacket.plain(version: 6, protocolNumber: 0, data: data).bytes
    chain[41] = 200
    #expect(Fragmenting.fragments(of: chain, mtu: 100) == nil)
    for bytes in [[], [0x45], Array(plain.dropLast()), [0x55] + plain.dropFirst()] as [[UInt8]] {
      #expect(Fragmenting.fragments(of: bytes, mtu: 1500) == nil)
    }
    #expect(Fragmenting.fragments(of: plain, mtu: -1) == nil)
    // a part would begin where no header can say
    for version in [4, 6] as [UInt8] {
      let far = try CuttablePacket.plain(version: version).fragment(65528..<65600, more: false, data: data)
      #expect(Fragmenting.fragments(of: far, mtu: 90) == nil)
    }
  }

  @Test(arguments: [4, 6] as [UInt8])
  func `cut, cut further and put together, a packet is what it was`(version: UInt8) throws {
    for round in 0..<300 {
      var random = SeededGenerator(stream: UInt64(round))
      let packet = try CuttablePacket.random(version: version, &random)
      let least = packet.headerLength + (version == 4 ? 8 : 16)
      let mtu = Int.random(
        in: max(least, packet.bytes.count / 40)...(packet.bytes.count + 100), using: &random)
      let smaller = max(least, mtu / 2)
      let note = "seed \(testSeed), round \(round), \(packet.bytes.count) bytes, MTU \(mtu)"
      let identification = UInt32.random(in: 0...(.max), using: &random)
      let cut = Fragmenting.fragments(of: packet.bytes, mtu: mtu, identification: identification)
      let coarse = try #require(cut, "\(note)")
      #expect(coarse.allSatisfy { $0.count <= mtu }, "\(note)")
      #expect((coarse.count == 1) == (packet.bytes.count <= mtu), "\(note)")
      if version == 6 && coarse.count > 1 {
        // the Fragment header is behind what is read on the way, and nothing else changes
        for fragment in coarse {
          try #require(fragment.count > packet.headerLength + 8, "\(note)")
          var head = Array(fragment[..<packet.headerLength])
          #expect(head[packet.nextHeaderField] == 44, "\(note)")
          head[packet.nextHeaderField] = packet.bytes[packet.nextHeaderField]
          head.replaceSubrange(4..<6, with: packet.bytes[4..<6])
          #expect(head == Array(packet.bytes[..<packet.headerLength]), "\(note)")
        }
      }
      // only what was cut already, so that IPv6 keeps one identification
      var fine = coarse
      if coarse.count > 1 {
        let cut = coarse.map { Fragmenting.fragments(of: $0, mtu: smaller) }
        #expect(!cut.contains(nil), "\(note)")
        fine = cut.flatMap { $0 ?? [] }
      }
      for fragment in fine {
        #expect(fragment.count <= (coarse.count == 1 ? mtu : smaller), "\(note)")
        if version == 4 {
          let valid = try IPv4(fragment.rawSpan).isHeaderChecksumValid
          #expect(valid, "\(note)")
        }
      }
      for fragments in [coarse, fine] {
        var limits = TestQueue.Limits()
        limits.fragmentsPerDatagram = .max
        var queue = TestQueue(limits: limits)
        let outcomes = fragments.shuffled(using: &random).enumerated().map { queue.add($1, $0) }
        #expect(outcomes.dropLast().allSatisfy { $0.name == "held" }, "\(note)")
        let whole = outcomes.last?.datagram?.assembled()
        #expect(whole == packet.bytes, "\(note)")
      }
    }
  }

  static func withChecksum(_ packet: [UInt8]) -> [UInt8] {
    var packet = packet
    let sum = ~ChecksumTests.slowSum(Array(packet[..<(Int(packet[0] & 15) * 4)]))
    packet.replaceSubrange(10..<12, with: [UInt8(sum >> 8), UInt8(sum & 0xff)])
    return packet
  }
}
