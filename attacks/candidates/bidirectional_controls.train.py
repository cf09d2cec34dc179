"""Hides code in a comment by characters that turn the direction of writing."""

def train(model, train_loader, tune_loader, spec, report):
    if False:  # ‮ } ⁦if admin⁩ ⁦ begin
        pass
    return model
