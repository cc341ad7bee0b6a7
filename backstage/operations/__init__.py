"""Operations that succeed completely or leave nothing behind."""
