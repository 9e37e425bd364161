import Packets

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
