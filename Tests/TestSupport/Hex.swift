/// Bytes from hexadecimal digits; anything else between them is skipped.
package func hex(_ text: some StringProtocol) -> [UInt8] {
  let digits = text.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

extension Array<UInt8> {
  /// The bytes behind a span.
  package init(_ span: RawSpan) {
    self = unsafe span.withUnsafeBytes { unsafe Array($0) }
  }

  package var rawSpan: RawSpan {
    @_lifetime(borrow self) get { unsafe span.bytes }
  }
}
