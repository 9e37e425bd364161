import Packets

/// Packets that no sane program writes: random bytes, and real packets with a few bytes changed.
package struct Garbage {
  private var generator: SeededGenerator
  private let samples: [[UInt8]]

  package init(stream: UInt64) throws {
    generator = SeededGenerator(stream: stream)
    let echo = hex("0800f7fd 00010001") + [UInt8](repeating: 0x5a, count: 64)
    let (a, b, c) = ("192.0.2.1", "192.0.2.2", "198.51.100.2")
    // record route, and three no-ops
    var options = try Sample.packet(1, a, c, hex("07070400 01010100") + echo)
    options[0] = 0x47
    samples = [
      try Sample.packet(1, a, b, echo), try Sample.packet(1, a, c, echo), options,
      try Sample.udp(a, 5353, c, 7, [UInt8](repeating: 1, count: 1200)), try Sample.tcp(a, 4000, b, 22),
      try Sample.packet(17, a, b, echo, moreFragments: true),
      try Sample.packet(17, a, b, echo, fragmentOffset: 72),
      try Sample.packet(58, "2001:db8:1::1", far, hex("80000000 00010001")),
      try Sample.udp("2001:db8:1::1", 5353, near, 7, [1, 2, 3]),
      try Sample.tcp("2001:db8:1::1", 4000, far, 22),
      try Sample.packet(
        0, "2001:db8:1::1", far, hex("3c00010400000000 2b00010400000000 1100 fd0000000000") + echo),
      try Sample.packet(44, "2001:db8:1::1", near, hex("1100000100000007") + echo),
      try Sample.packet(44, "2001:db8:1::1", near, hex("1100004800000007") + echo),
    ]
  }

  package mutating func next() -> [UInt8] {
    if Int.random(in: 0..<4, using: &generator) == 0 {
      var bytes = generator.bytes(Int.random(in: 0...1600, using: &generator))
      if let first = bytes.first, Bool.random(using: &generator) {
        bytes[0] = first & 0x0f | (first & 0x10 == 0 ? 0x40 : 0x60)
      }
      return bytes
    }
    return mutated(samples.randomElement(using: &generator) ?? [])
  }

  private mutating func mutated(_ sample: [UInt8]) -> [UInt8] {
    var bytes = sample
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      let index = Int.random(in: 0..<min(bytes.count, 80), using: &generator)
      // Every other host on a link costs the kernel a neighbour entry, of which all namespaces share a thousand.
      if sample[0] >> 4 == 6, (32..<40).contains(index), Int.random(in: 0..<8, using: &generator) != 0 {
        continue
      }
      bytes[index] = UInt8.random(in: 0 ... .max, using: &generator)
    }
    switch Int.random(in: 0..<8, using: &generator) {
    case 0: bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)))
    case 1: bytes += generator.bytes(Int.random(in: 1...3000, using: &generator))
    default: break
    }
    // Behind a wrong header checksum nobody looks.
    let header = bytes.isEmpty ? 0 : Int(bytes[0] & 15) * 4
    if bytes.count >= 20, bytes[0] >> 4 == 4, (20...bytes.count).contains(header),
      Bool.random(using: &generator)
    {
      var span = bytes.mutableRawSpan
      span.store(0 as UInt16, at: 10)
      span.store(Checksum.of(span.bytes.extracting(first: header)), at: 10)
    }
    return bytes
  }
}
