import Glibc

/// Memory of the kernel's, shared for reading: it changes while one looks.
@safe package struct ReadOnlyMapping: ~Copyable, @unchecked Sendable {
  private let start: UnsafeMutableRawPointer
  private let length: Int

  /// - Parameter length: In bytes; what lies behind a descriptor's end cannot be read.
  package init(of descriptor: borrowing Descriptor, length: Int) throws(SystemError) {
    let start = unsafe mmap(nil, length, PROT_READ, MAP_SHARED, descriptor.number, 0)
    guard let start = unsafe start, unsafe start != MAP_FAILED else {
      throw SystemError("map \(length) bytes of counts")
    }
    unsafe self.start = start
    self.length = length
  }

  deinit { _ = unsafe munmap(start, length) }

  /// The 64-bit integer at an offset, in host byte order.
  package func word(at offset: Int) -> UInt64 {
    precondition(offset >= 0 && offset + 8 <= length && offset % 8 == 0)
    return unsafe start.load(fromByteOffset: offset, as: UInt64.self)
  }
}
