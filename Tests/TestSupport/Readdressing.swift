package import Divert
import Packets

extension Packet {
  /// The same from or to others, with right checksums: what a NAT makes of it.
  package func readdressed(from source: String? = nil, to destination: String? = nil) -> Packet {
    var packet = self
    let isVersion4 = bytes[0] >> 4 == 4
    for (text, offset) in [(source, isVersion4 ? 12 : 8), (destination, isVersion4 ? 16 : 24)] {
      guard let text else { continue }
      if let address = IPv4Address(text) {
        var span = packet.bytes.mutableRawSpan
        span.store(address.rawValue, at: offset)
      } else if let address = IPv6Address(text) {
        var span = packet.bytes.mutableRawSpan
        span.store(address.high, at: offset)
        span.store(address.low, at: offset + 8)
      }
    }
    var span = packet.bytes.mutableRawSpan
    if isVersion4 {
      span.store(0 as UInt16, at: 10)
      span.store(Checksum.of(span.bytes.extracting(first: Int(bytes[0] & 15) * 4)), at: 10)
    }
    Checksum.updateTransport(of: &span)
    return packet
  }
}
