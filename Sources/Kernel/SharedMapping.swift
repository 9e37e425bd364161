import Glibc

/// Memory of the kernel's, shared: it changes while one looks.
@safe package struct SharedMapping: ~Copyable, @unchecked Sendable {
  private let start: UnsafeMutableRawPointer
  private let length: Int
  private let isWritable: Bool

  /// - Parameter length: In bytes; what lies behind a descriptor's end cannot be read.
  package init(
    of descriptor: borrowing Descriptor, length: Int, isWritable: Bool = false
  ) throws(SystemError) {
    let protection = isWritable ? PROT_READ | PROT_WRITE : PROT_READ
    let start = unsafe mmap(nil, length, protection, MAP_SHARED, descriptor.number, 0)
    guard let start = unsafe start, unsafe start != MAP_FAILED else {
      throw SystemError("map \(length) bytes of counts")
    }
    unsafe self.start = start
    (self.length, self.isWritable) = (length, isWritable)
  }

  deinit { _ = unsafe munmap(start, length) }

  /// The 64-bit integer at an offset, in host byte order.
  package func word(at offset: Int) -> UInt64 {
    precondition(offset >= 0 && offset + 8 <= length && offset % 8 == 0)
    return unsafe start.load(fromByteOffset: offset, as: UInt64.self)
  }

  /// The 32-bit integer at an offset, in host byte order.
  package func half(at offset: Int) -> UInt32 {
    precondition(offset >= 0 && offset + 4 <= length && offset % 4 == 0)
    return unsafe start.load(fromByteOffset: offset, as: UInt32.self)
  }

  /// Stores 64-bit integers in host byte order from the start on.
  package func store(_ words: [UInt64]) {
    precondition(isWritable && words.count * 8 <= length)
    unsafe words.withUnsafeBytes {
      unsafe start.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(start), byteCount: $0.count)
    }
  }

  /// Stores a 32-bit integer in host byte order, in one piece.
  package func store(_ value: UInt32, at offset: Int) {
    precondition(isWritable && offset >= 0 && offset + 4 <= length && offset % 4 == 0)
    unsafe start.storeBytes(of: value, toByteOffset: offset, as: UInt32.self)
  }
}
