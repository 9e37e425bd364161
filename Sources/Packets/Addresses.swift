/// An IPv4 address; the raw value is in host byte order, so 192.0.2.1 is 0xc000_0201.
public struct IPv4Address: Hashable, Sendable, BitwiseCopyable {
  public let rawValue: UInt32

  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let any = IPv4Address(rawValue: 0)
}

/// An IPv6 address as two halves in host byte order; `high` holds the first eight bytes.
public struct IPv6Address: Hashable, Sendable, BitwiseCopyable {
  public let high: UInt64
  public let low: UInt64

  @inlinable public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
}
