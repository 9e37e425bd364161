/// An IPv6 packet over bytes that somebody else owns (RFC 8200).
///
/// Bytes behind the packet's Payload Length are not part of it.
public struct IPv6: ~Escapable, BitwiseCopyable {
  @usableFromInline let bytes: RawSpan

  /// Checks all that the accessors rely on: version and length. After this none of them can trap.
  @inlinable @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) throws(FormatError) {
    guard bytes.byteCount >= 40 else { throw .truncated("IPv6", has: bytes.byteCount, needs: 40) }
    let version = bytes.integer(at: 0, as: UInt8.self) >> 4
    guard version == 6 else { throw .badVersion("IPv6", version) }
    let total = 40 + Int(bytes.integer(at: 4) as UInt16)
    guard total <= bytes.byteCount else { throw .badLength("IPv6", total) }
    self.bytes = bytes.extracting(first: total)
  }

  @inlinable public var trafficClass: UInt8 {
    UInt8(truncatingIfNeeded: bytes.integer(at: 0, as: UInt16.self) >> 4)
  }
  /// 20 bits (RFC 6437).
  @inlinable public var flowLabel: UInt32 { bytes.integer(at: 0, as: UInt32.self) & 0xf_ffff }
  /// Header and payload.
  @inlinable public var totalLength: Int { bytes.byteCount }
  /// The number of what follows directly, which may be an extension header; see ``upperLayer``.
  @inlinable public var nextHeader: UInt8 { bytes.integer(at: 6) }
  @inlinable public var hopLimit: UInt8 { bytes.integer(at: 7) }
  @inlinable public var source: IPv6Address {
    IPv6Address(high: bytes.integer(at: 8), low: bytes.integer(at: 16))
  }
  @inlinable public var destination: IPv6Address {
    IPv6Address(high: bytes.integer(at: 24), low: bytes.integer(at: 32))
  }
  /// What follows the fixed header, extension headers included.
  @inlinable public var payload: RawSpan {
    @_lifetime(copy self) get { bytes.extracting(droppingFirst: 40) }
  }

  /// What lies behind the extension headers.
  public struct UpperLayer: Equatable, Sendable, BitwiseCopyable {
    public fileprivate(set) var protocolNumber: UInt8
    /// Where it begins in the packet, in bytes.
    public fileprivate(set) var offset = 40
    /// The Fragment header's, if there is one.
    public fileprivate(set) var fragmentIdentification: UInt32?
    public fileprivate(set) var fragmentOffset = 0
    public fileprivate(set) var moreFragments = false
    /// A routing header says that the destination is not the last one yet.
    public fileprivate(set) var isRouted = false

    /// A Fragment header with offset 0 and none to follow is no fragment (RFC 6946).
    public var isFragment: Bool { fragmentOffset != 0 || moreFragments }
  }

  /// Walks the extension headers (RFC 7045); nil where one of them is cut short. In a later fragment the walk
  /// ends at the Fragment header.
  public var upperLayer: UpperLayer? {
    var upper = UpperLayer(protocolNumber: nextHeader)
    while let size = PacketFields.extensionHeaderSize(
      upper.protocolNumber, bytes, upper.offset, bytes.byteCount)
    {
      guard size > 0 else { return nil }
      if upper.protocolNumber == 44 {
        let fragment: UInt16 = bytes.integer(at: upper.offset + 2)
        upper.fragmentOffset = Int(fragment & 0xfff8)
        upper.moreFragments = fragment & 1 != 0
        upper.fragmentIdentification = bytes.integer(at: upper.offset + 4)
      } else if upper.protocolNumber == 43, bytes.integer(at: upper.offset + 3, as: UInt8.self) != 0 {
        upper.isRouted = true  // Segments Left
      }
      upper.protocolNumber = bytes.integer(at: upper.offset)
      upper.offset += size
      if upper.fragmentOffset != 0 { break }
    }
    return upper
  }
}

/// The same packet, writable; while it lives, nobody else can touch the bytes.
///
/// The header has no checksum; the transport's covers the addresses: call ``updateChecksums()`` in the end.
public struct MutableIPv6: ~Copyable, ~Escapable {
  @usableFromInline var bytes: MutableRawSpan

  @inlinable @_lifetime(&bytes)
  public init(_ bytes: inout MutableRawSpan) throws(FormatError) {
    let length = try IPv6(bytes.bytes).totalLength
    self.bytes = bytes._mutatingExtracting(first: length)
  }

  @inlinable public mutating func setTrafficClass(_ value: UInt8) {
    bytes.store(bytes.bytes.integer(at: 0) & 0xf00f | UInt16(value) << 4, at: 0)
  }
  @inlinable public mutating func setHopLimit(_ value: UInt8) { bytes.store(value, at: 7) }
  @inlinable public mutating func setSource(_ address: IPv6Address) {
    bytes.store(address.high, at: 8)
    bytes.store(address.low, at: 16)
  }
  @inlinable public mutating func setDestination(_ address: IPv6Address) {
    bytes.store(address.high, at: 24)
    bytes.store(address.low, at: 32)
  }

  /// Computes the transport checksum anew, from what the packet now holds; not in fragments, nor for
  /// protocols other than TCP, UDP, UDP-Lite and ICMPv6.
  public mutating func updateChecksums() { Checksum.updateTransport(of: &bytes) }

  /// The bytes behind the fixed header, to be changed in place.
  @inlinable public var payload: MutableRawSpan {
    @_lifetime(&self) mutating get { bytes._mutatingExtracting(droppingFirst: 40) }
  }
}

/// What a fixed IPv6 header says, as a value, to build packets from.
public struct IPv6Header: Equatable, Sendable {
  public var trafficClass: UInt8 = 0
  /// 20 bits; the others are not written.
  public var flowLabel: UInt32 = 0
  public var nextHeader: UInt8
  public var hopLimit: UInt8 = 64
  public var source: IPv6Address
  public var destination: IPv6Address

  public static let length = 40

  public init(source: IPv6Address, destination: IPv6Address, nextHeader: UInt8) {
    (self.source, self.destination, self.nextHeader) = (source, destination, nextHeader)
  }

  public init(_ packet: borrowing IPv6) {
    self.init(source: packet.source, destination: packet.destination, nextHeader: packet.nextHeader)
    trafficClass = packet.trafficClass
    flowLabel = packet.flowLabel
    hopLimit = packet.hopLimit
  }

  /// Writes the header; the payload goes behind, at ``length``.
  ///
  /// - Throws: Where the payload is longer than a header can say, or than the bytes.
  public func write(to bytes: inout MutableRawSpan, payloadLength: Int) throws(FormatError) {
    guard (0...65535).contains(payloadLength) else { throw .badLength("IPv6", 40 + payloadLength) }
    guard bytes.byteCount >= 40 + payloadLength else {
      throw .truncated("IPv6", has: bytes.byteCount, needs: 40 + payloadLength)
    }
    bytes.store(6 << 28 | UInt32(trafficClass) << 20 | flowLabel & 0xf_ffff, at: 0)
    bytes.store(UInt16(payloadLength), at: 4)
    bytes.store(nextHeader, at: 6)
    bytes.store(hopLimit, at: 7)
    bytes.store(source.high, at: 8)
    bytes.store(source.low, at: 16)
    bytes.store(destination.high, at: 24)
    bytes.store(destination.low, at: 32)
  }
}
