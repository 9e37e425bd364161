import Packets

/// RFC 1071.
enum InternetChecksum {
  /// The checksum over some bytes; 0 where they contain a valid one.
  static func of(_ bytes: some Sequence<UInt8>, seed: UInt32 = 0) -> UInt16 {
    var sum = UInt64(seed)
    var isHigh = true
    for byte in bytes {
      sum += isHigh ? UInt64(byte) << 8 : UInt64(byte)
      isHigh.toggle()
    }
    while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
    return ~UInt16(sum)
  }

  /// What the pseudo-header adds (RFC 768; RFC 8200 §8.1).
  static func pseudoHeader(
    _ source: HostAddress, _ destination: HostAddress, protocolNumber: UInt8, length: Int
  ) -> UInt32 {
    var sum = UInt32(protocolNumber) + UInt32(length & 0xffff) + UInt32(length >> 16)
    for half in [source.high, source.low, destination.high, destination.low] {
      for shift in [48, 32, 16, 0] as [UInt64] { sum += UInt32(half >> shift & 0xffff) }
    }
    return sum
  }
}

extension Array<UInt8> {
  var rawSpan: RawSpan {
    @_lifetime(borrow self) get { unsafe span.bytes }
  }

  init(copying bytes: RawSpan) {
    self = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
  }

  mutating func store<Integer: FixedWidthInteger & BitwiseCopyable>(_ value: Integer, at offset: Int) {
    var span = mutableSpan
    var bytes = unsafe span.mutableBytes
    bytes.store(value, at: offset)
  }
}
