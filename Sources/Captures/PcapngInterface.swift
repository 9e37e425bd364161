import Packets

/// An interface description of a pcapng file (draft-ietf-opsawg-pcapng §4.2).
struct PcapngInterface: BitwiseCopyable {
  private enum OptionCode {
    static let end: UInt16 = 0
    static let timeResolution: UInt16 = 9
    static let timeOffset: UInt16 = 14
  }

  let linkType: UInt16
  /// 0: no limit.
  let snapLength: UInt32
  /// `if_tsresol`: a negative power of 10, or, with the upper bit, of 2.
  private var resolution: UInt8 = 6
  /// `if_tsoffset`, in seconds.
  private var offset: Int64 = 0

  /// - Returns: nil for a block that is too short for what it says.
  init?(_ block: RawSpan, _ isSwapped: Bool) {
    guard block.byteCount >= 20 else { return nil }
    linkType = block.integer(at: 8, swapped: isSwapped)
    snapLength = block.integer(at: 12, swapped: isSwapped)
    var position = 16
    let end = block.byteCount - 4
    while end - position >= 4 {
      let code: UInt16 = block.integer(at: position, swapped: isSwapped)
      let length = Int(block.integer(at: position + 2, swapped: isSwapped, as: UInt16.self))
      position += 4
      guard code != OptionCode.end else { return }
      guard length <= end - position else { return nil }
      switch (code, length) {
      case (OptionCode.timeResolution, 1): resolution = block.integer(at: position)
      case (OptionCode.timeOffset, 8): offset = block.integer(at: position, swapped: isSwapped)
      default: break
      }
      position += (length + 3) & ~3
    }
  }

  /// Nanoseconds since 1970; times before and beyond what 64 bits hold are the first and the last there are.
  func time(_ ticks: UInt64) -> UInt64 {
    let nanoseconds = self.nanoseconds(ticks)
    let (shift, overflow) = offset.magnitude.multipliedReportingOverflow(by: 1_000_000_000)
    if offset < 0 { return overflow || shift > nanoseconds ? 0 : nanoseconds - shift }
    let (sum, overflows) = nanoseconds.addingReportingOverflow(shift)
    return overflow || overflows ? .max : sum
  }

  private func nanoseconds(_ ticks: UInt64) -> UInt64 {
    let exponent = Int(resolution & 0x7f)
    if resolution & 0x80 != 0 {
      let product = ticks.multipliedFullWidth(by: 1_000_000_000)
      guard exponent < 64 else { return product.high >> UInt64(exponent - 64) }
      guard product.high >> UInt64(exponent) == 0 else { return .max }
      // a shift by 64 gives 0, as it should
      return product.high << UInt64(64 - exponent) | product.low >> UInt64(exponent)
    }
    var nanoseconds = ticks
    for _ in 0..<min(20, max(0, exponent - 9)) { nanoseconds /= 10 }
    for _ in 0..<max(0, 9 - exponent) {
      let (product, overflow) = nanoseconds.multipliedReportingOverflow(by: 10)
      if overflow { return .max }
      nanoseconds = product
    }
    return nanoseconds
  }
}
