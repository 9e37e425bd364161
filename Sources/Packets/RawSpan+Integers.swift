extension RawSpan {
  /// The big-endian (network byte order) integer at a byte offset; traps outside the span.
  @inlinable @inline(__always)
  public func integer<Integer: FixedWidthInteger & BitwiseCopyable>(
    at offset: Int, as type: Integer.Type = Integer.self
  ) -> Integer {
    unsafe Integer(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: Integer.self))
  }
}

extension MutableRawSpan {
  /// Stores an integer in network byte order; traps outside the span.
  @inlinable @inline(__always) @_lifetime(self: copy self)
  public mutating func store<Integer: FixedWidthInteger & BitwiseCopyable>(_ value: Integer, at offset: Int) {
    storeBytes(of: value.bigEndian, toByteOffset: offset, as: Integer.self)
  }
}
